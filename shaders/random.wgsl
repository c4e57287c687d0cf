// random: pseudorandom numbers from a counter. There is no state: the same counter gives the same
// numbers on every device, however a launch is cut.
//
// Source: pcg3d of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.

// Three hashed words of three counters, such as invocation, step and seed.
fn random_u32(counter: vec3<u32>) -> vec3<u32> {
    var v = counter * 1664525u + 1013904223u;
    v.x += v.y * v.z;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v ^= v >> vec3(16u);
    v.x += v.y * v.z;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    return v;
}

// Three floats, uniform over the multiples of 2^-24 in [0, 1).
fn random_f32(counter: vec3<u32>) -> vec3<f32> {
    return vec3<f32>(random_u32(counter) >> vec3(8u)) * (1.0 / 16777216.0);
}
