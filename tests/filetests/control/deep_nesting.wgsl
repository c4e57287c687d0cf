// Twelve levels of divergent ifs: no level may lose its mask.
//! invocations 16
//! expect dst u32 0 101 202 303 404 505 606 707 808 909 1010 1111 1212 1212 1212 1212
//! zeros dst u32 16
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) i: u32) {
    var depth = 0u;
    if i > 0u {
        depth += 1u;
        if i > 1u {
            depth += 1u;
            if i > 2u {
                depth += 1u;
                if i > 3u {
                    depth += 1u;
                    if i > 4u {
                        depth += 1u;
                        if i > 5u {
                            depth += 1u;
                            if i > 6u {
                                depth += 1u;
                                if i > 7u {
                                    depth += 1u;
                                    if i > 8u {
                                        depth += 1u;
                                        if i > 9u {
                                            depth += 1u;
                                            if i > 10u {
                                                depth += 1u;
                                                if i > 11u {
                                                    depth += 1u;
                                                    depth += 100u;
                                                }
                                                depth += 100u;
                                            }
                                            depth += 100u;
                                        }
                                        depth += 100u;
                                    }
                                    depth += 100u;
                                }
                                depth += 100u;
                            }
                            depth += 100u;
                        }
                        depth += 100u;
                    }
                    depth += 100u;
                }
                depth += 100u;
            }
            depth += 100u;
        }
        depth += 100u;
    }
    dst[i] = depth;
}
