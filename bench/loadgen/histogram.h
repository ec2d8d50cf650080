// Latencies in fixed memory: buckets that are 1/128 of their value wide.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace postern::loadgen {

class Histogram {
 public:
  void Add(uint64_t nanoseconds) {
    ++buckets_[Index(nanoseconds)];
    ++count_;
    sum_ += nanoseconds;
    if (nanoseconds > max_) max_ = nanoseconds;
  }

  void Clear() { *this = Histogram(); }

  uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / count_; }
  uint64_t max() const { return max_; }

  // Nanoseconds below or at which the fraction `q` of all is, 0 where there is none.
  uint64_t Quantile(double q) const {
    auto wanted = static_cast<uint64_t>(q * static_cast<double>(count_));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return Value(i);
    }
    return max_;
  }

 private:
  static constexpr int kSubBits = 7;
  static constexpr size_t kSub = size_t{1} << kSubBits;
  static constexpr size_t kBuckets = kSub * (64 - kSubBits + 1);

  // Values under kSub have a bucket each; above, the leading bits choose it.
  static size_t Index(uint64_t value) {
    if (value < kSub) return value;
    int shift = std::bit_width(value) - kSubBits - 1;
    return kSub * static_cast<size_t>(shift) + (value >> shift);
  }

  static uint64_t Value(size_t index) {
    if (index < 2 * kSub) return index;
    size_t shift = index / kSub - 1;
    return (index - kSub * shift) << shift;
  }

  std::array<uint64_t, kBuckets> buckets_ = {};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace postern::loadgen
