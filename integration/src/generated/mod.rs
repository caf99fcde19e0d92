//! Bundles' `config.json`, made up: by a fuzzer's bytes, or by a seed.

mod near;
mod wild;

pub use near::{Place, change};
pub use wild::wild;

/// Choices, taken from bytes one after the other; where there are no more, always the first one.
#[derive(Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Those that these bytes make.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> u8 {
        match self.0 {
            [] => 0,
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
        }
    }

    /// A number below `limit`, which is 256 at most.
    ///
    /// # Panics
    /// Where there is no such number.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Yes, once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Some of these, in an order of their own, up to so many; any of them may come more than once.
    pub fn some<T: Copy>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.one(of)).collect()
    }
}

/// Bytes that are the same for the same seed: xorshift.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    // Seeds that are next to each other begin far apart; zero stays zero in a xorshift.
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..length).map(|_| next()).collect()
}
