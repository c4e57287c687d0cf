// Particles that move and bounce, each updated in place by its own invocation; the last workgroup
// is ragged.
//! invocations 6
//! set dt f32 0.5
//! bind particles f32 0.0 1.0 0.0 0.0 0.5 -0.0 0.75 0.0 0.25 0.5 0.125 1.0 0.5 -0.25 0.75 0.0 0.5 0.0 0.25 2.0 0.5 -0.5 0.75 0.0 0.75 -0.5 0.375 3.0 0.5 -0.75 0.75 0.0 1.0 -1.0 0.5 4.0 0.5 -1.0 0.75 0.0 1.25 -1.5 0.625 5.0 0.5 -1.25 0.75 0.0
//! expect particles f32 0.25 1.0 0.375 0.0 0.5 -0.0 0.75 0.0 0.5 0.375 0.5 1.0 0.5 -0.25 0.75 0.0 0.75 -0.25 0.625 2.0 0.5 -0.5 0.75 0.0 1.0 -0.875 0.75 3.0 0.5 -0.75 0.75 0.0 1.0 -1.0 0.875 4.0 -0.5 1.0 0.75 0.0 1.0 -1.0 1.0 5.0 -0.5 1.25 0.75 0.0
struct Particle { position: vec3<f32>, mass: f32, velocity: vec3<f32> }
@group(0) @binding(0) var<uniform> dt: f32;
@group(0) @binding(1) var<storage, read_write> particles: array<Particle>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&particles) { return; }
    var p = particles[id.x];
    p.position += dt * p.velocity;
    for (var axis = 0u; axis < 3u; axis++) {
        if abs(p.position[axis]) > 1.0 {
            p.velocity[axis] = -p.velocity[axis];
            p.position[axis] = clamp(p.position[axis], -1.0, 1.0);
        }
    }
    particles[id.x] = p;
}
