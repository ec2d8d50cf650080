// The process_* metrics as Prometheus names them, read from /proc. Owned by the metrics registry,
// asked on the scraping thread under the registry's lock.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <vector>

namespace postern {

class ProcessMetrics {
 public:
  // What cannot be read is left out.
  void Append(std::vector<prometheus::MetricFamily>& out);

 private:
  double OpenDescriptors();

  // Counting descriptors walks over all of them on older kernels, so it is done once a second at
  // most.
  std::chrono::steady_clock::time_point counted_at_{};
  double open_descriptors_ = 0;
};

}  // namespace postern
