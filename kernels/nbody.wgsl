// nbody: one step of n bodies under their own gravity (G = 1), all pairs, symplectic Euler.
//
//     v' = v + dt * sum over j of m_j (p_j - p) / (|p_j - p|^2 + softening^2)^(3/2)
//     p' = p + dt * v'
//
// params         uniform   count: the number of bodies; dt: the time step; softening: not 0
// bodies         read      count times (x, y, z, mass)
// velocities     read      count times (x, y, z, unused)
// next_bodies    out       as bodies
// next_velocities out      as velocities
//
// Grid: count invocations along x.
// Source: Nyland, Harris, Prins, "Fast N-body simulation with CUDA", GPU Gems 3, 2007: a workgroup
// loads 256 bodies at a time into workgroup memory.
// tolerance: abs 1e-5 rel 1e-5

struct Params {
    count: u32,
    dt: f32,
    softening: f32,
}

const TILE = 256u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bodies: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> velocities: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> next_bodies: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> next_velocities: array<vec4<f32>>;

var<workgroup> tile: array<vec4<f32>, TILE>;

@compute @workgroup_size(256)
fn nbody(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let i = id.x;
    var body = vec4<f32>();
    if i < params.count {
        body = bodies[i];
    }

    var acceleration = vec3<f32>();
    let softening2 = params.softening * params.softening;
    for (var first = 0u; first < params.count; first += TILE) {
        // Places after the last body get a body without mass.
        let j = first + index;
        var other = vec4<f32>();
        if j < params.count {
            other = bodies[j];
        }
        tile[index] = other;
        workgroupBarrier();

        for (var t = 0u; t < TILE; t++) {
            let away = tile[t].xyz - body.xyz;
            // Fused multiply-adds need one operation fewer than a dot product and a sum.
            let squared =
                softening2 + away.x * away.x + away.y * away.y + away.z * away.z;
            let inverse = inverseSqrt(squared);
            acceleration += away * (tile[t].w * inverse * inverse * inverse);
        }
        workgroupBarrier();
    }

    if i < params.count {
        let velocity = velocities[i].xyz + acceleration * params.dt;
        next_velocities[i] = vec4(velocity, velocities[i].w);
        next_bodies[i] = vec4(body.xyz + velocity * params.dt, body.w);
    }
}
