// mandelbrot: for each pixel, the number of steps of z = z^2 + c, from z = 0, before |z| > 2. It is
// `limit` if |z| does not exceed 2 in these steps.
//
// view        uniform   width, height: the picture, row-major; limit: the most steps; scale: the
//                       side of a pixel; corner: c at pixel (0, 0)
// iterations  out       width * height elements
//
// Grid: width invocations along x, height along y.
// Near the set's border the count depends on the last bit of z, so a few pixels may differ between
// devices: `outliers` is the share of elements that may differ.
// tolerance: abs 0 rel 0 outliers 0.01

struct View {
    width: u32,
    height: u32,
    limit: u32,
    scale: f32,
    corner: vec2<f32>,
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> iterations: array<u32>;

@compute @workgroup_size(32, 8)
fn mandelbrot(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    let c = fma(vec2<f32>(id.xy), vec2(view.scale), view.corner);
    var z = vec2<f32>();
    var count = 0u;
    while count < view.limit {
        let squared = z * z;
        if squared.x + squared.y > 4.0 {
            break;
        }
        z = vec2(squared.x - squared.y + c.x, fma(2.0 * z.x, z.y, c.y));
        count++;
    }
    iterations[id.y * view.width + id.x] = count;
}
