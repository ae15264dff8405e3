//! A fast hash with random keys: folded multiplication, as in wyhash.

use std::hash::{BuildHasher, RandomState};

/// A hash in the making.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    state: u64,
    key: u64,
}

/// Mixes two numbers: all bits of both reach all bits of the result.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes as a number.
fn read(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)),
    }
}

impl Hash {
    /// An empty hash with keys of its own.
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self { state: random.hash_one(0), key: random.hash_one(1) | 1 }
    }

    /// Adds bytes and how many they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.state = fold(self.state ^ read(chunk), self.key);
        }
        self.number(read(chunks.remainder()) ^ (bytes.len() as u64).rotate_left(56));
    }

    /// Adds a number.
    pub(super) fn number(&mut self, number: u64) {
        self.state = fold(self.state ^ number, self.key);
    }

    /// The hash.
    pub(super) fn finish(self) -> u64 {
        fold(self.state, self.key.rotate_left(32))
    }
}
