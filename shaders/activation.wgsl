// activation: the usual non-linear functions of neural networks.

fn relu(x: f32) -> f32 {
    return max(x, 0.0);
}

// No overflow for any finite x: the argument of exp is never positive.
fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn silu(x: f32) -> f32 {
    return x * sigmoid(x);
}

// Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, the tanh approximation.
fn gelu(x: f32) -> f32 {
    return x * sigmoid(1.5957691 * (x + 0.044715 * x * x * x));
}

// log(1 + exp(x)), without overflow.
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log(1.0 + exp(-abs(x)));
}
