// black_scholes: the prices of European options, call and put.
//
//     d1 = (ln(S / X) + (r + v^2 / 2) T) / (v sqrt(T))        d2 = d1 - v sqrt(T)
//     call = S N(d1) - X exp(-r T) N(d2)                      put = call - S + X exp(-r T)
//
// market   uniform  rate: r; volatility: v; count: the number of options
// options  read     count times (S: the spot price, X: the strike, T: years to expiry, unused)
// calls    out      count elements
// puts     out      count elements
//
// Grid: count invocations along x.
// Source: Black and Scholes, 1973. N by Abramowitz and Stegun 26.2.17, off by at most 7.5e-8.
// The tolerance is for prices up to 100: 26.2.17 adds at most 7.5e-6 for each N, plus rounding.
// tolerance: abs 1e-4 rel 1e-5

struct Market {
    rate: f32,
    volatility: f32,
    count: u32,
}

@group(0) @binding(0) var<uniform> market: Market;
@group(0) @binding(1) var<storage, read> options: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> calls: array<f32>;
@group(0) @binding(3) var<storage, read_write> puts: array<f32>;

// The cumulative distribution function of the normal distribution.
fn normal(d: f32) -> f32 {
    let k = 1.0 / (1.0 + 0.2316419 * abs(d));
    let series = k * (0.31938153 + k * (-0.356563782 + k * (1.781477937
        + k * (-1.821255978 + k * 1.330274429))));
    let tail = 0.3989422804 * exp(-0.5 * d * d) * series;
    return select(tail, 1.0 - tail, d > 0.0);
}

@compute @workgroup_size(256)
fn black_scholes(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= market.count {
        return;
    }
    let price = options[i].x;
    let strike = options[i].y;
    let years = options[i].z;
    let spread = market.volatility * sqrt(years);
    let drift = (market.rate + 0.5 * market.volatility * market.volatility) * years;
    let d1 = (log(price / strike) + drift) / spread;
    let d2 = d1 - spread;
    let discounted = strike * exp(-market.rate * years);
    let call = price * normal(d1) - discounted * normal(d2);
    calls[i] = call;
    puts[i] = call - price + discounted;
}
