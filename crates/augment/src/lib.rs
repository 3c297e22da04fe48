//! Image augmentation: crops, flips, resizes and the RandAugment ops, on plain bytes.
