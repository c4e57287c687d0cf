//! The policy *static*: each device gets its share at once, in proportion to what is known of
//! speeds before the launch, and nothing after that. Best where speeds are known exactly and hold.
//! The one that gives the same chunks to the same devices each time.

use super::stock::Stock;

/// Everybody's share lies ready for them alone.
pub(super) fn stock(bands: u32, speeds: &[f64]) -> Stock {
    Stock::homes(bands, speeds, false)
}

/// All that a device may take.
pub(super) fn size(stock: &Stock, device: usize) -> u32 {
    stock.left_for(device)
}
