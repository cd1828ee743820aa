// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/prometheus_outputs.h"

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/gateway.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <exception>
#include <future>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "harness/record/atomic_file.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// One scenario's part of a registry. The gateway puts a group's labels over the metrics' own: with
// several scenarios in one group they would all become the same series.
class ScenarioSlice : public prometheus::Collectable {
 public:
  ScenarioSlice(std::shared_ptr<prometheus::Registry> registry, std::string scenario)
      : registry_(std::move(registry)), scenario_(std::move(scenario)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families = registry_->Collect();
    for (prometheus::MetricFamily& family : families) {
      std::erase_if(family.metric, [&](const prometheus::ClientMetric& metric) {
        const std::string* scenario = ScenarioOf(metric);
        return scenario != nullptr && *scenario != scenario_;
      });
    }
    std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
    return families;
  }

  static const std::string* ScenarioOf(const prometheus::ClientMetric& metric) {
    for (const auto& label : metric.label) {
      if (label.name == "scenario") return &label.value;
    }
    return nullptr;
  }

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::string scenario_;
};

// "-" alone when nothing names a scenario yet.
std::set<std::string> ScenariosOf(const prometheus::Registry& registry) {
  std::set<std::string> scenarios;
  for (const auto& family : registry.Collect()) {
    for (const auto& metric : family.metric) {
      if (const std::string* scenario = ScenarioSlice::ScenarioOf(metric)) {
        scenarios.insert(*scenario);
      }
    }
  }
  if (scenarios.empty()) scenarios.insert("-");
  return scenarios;
}

struct HostPort {
  std::string host;  // with its scheme
  std::string port;
};

rocm::Result<HostPort> Split(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  const std::string_view rest =
      url.starts_with(kScheme) ? std::string_view(url).substr(kScheme.size()) : url;
  const auto colon = rest.rfind(':');
  const auto port = colon == std::string_view::npos ? "9091" : rest.substr(colon + 1);
  const auto host = rest.substr(0, colon);
  if (host.empty() || !IsPort(port) || rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      "a Pushgateway is named as http://HOST:PORT, not " + url);
  }
  return HostPort{fmt::format("{}{}", kScheme, host), std::string(port)};
}

// The first status that is not a success, or the last one.
int PushGroups(const std::string& host, const std::string& port, const std::string& job,
               const std::string& instance, const std::shared_ptr<prometheus::Registry>& registry) {
  int status = -1;
  for (const std::string& scenario : ScenariosOf(*registry)) {
    // This version of the library puts values into the path as they are.
    const prometheus::Labels labels = {{"instance@base64", GroupingValue(instance)},
                                       {"scenario@base64", GroupingValue(scenario)}};
    const auto slice = std::make_shared<ScenarioSlice>(registry, scenario);
    prometheus::Gateway gateway(host, port, job, labels);
    gateway.RegisterCollectable(slice);
    // The group is replaced (PUT), so that what an earlier run told and this one does not is gone.
    // This library's names are reversed: its PushAdd() does that, its Push() adds (POST).
    status = gateway.PushAdd();
    if (status < 200 || status >= 300) break;
  }
  return status;
}

rocm::Result<void> Answer(int status, const std::string& url) {
  if (status >= 200 && status < 300) return {};
  rocm::Error error;
  error.http_status = std::max(status, 0);
  error.retryable = status < 0 || status >= 500;
  error.code = status < 0 ? rocm::ErrorCode::kConnectionRefused : rocm::ErrorCode::kBadRequest;
  error.message = status < 0 ? fmt::format("cannot reach the Pushgateway {}", url)
                             : fmt::format("the Pushgateway {} refused the metrics with status {}",
                                           url, status);
  return rocm::Fail(std::move(error));
}

}  // namespace

class MetricsListener::Server {
 public:
  explicit Server(const std::string& address)
      : exposer(std::vector<std::string>{
            "listening_ports", address,
            // Idle half-open connections hold a thread each until the timeout: enough threads that
            // a scrape gets through, and a timeout that frees them before the next one.
            "num_threads", "8", "request_timeout_ms", "2000", "enable_keep_alive", "no"}) {}
  prometheus::Exposer exposer;
};

rocm::Result<std::unique_ptr<MetricsListener>> MetricsListener::Start(const std::string& address,
                                                                      const RunMetrics& metrics) {
  const auto colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const std::string host = colon == std::string::npos ? "127.0.0.1" : address.substr(0, colon);
  // The web server takes lists, redirects and TLS here: nothing of that may slip in.
  if (!IsPort(port) || host.empty() || host.find_first_of(", /@") != std::string::npos) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      "metrics are served at HOST:PORT or PORT, not " + address);
  }
  try {
    auto server = std::make_unique<Server>(fmt::format("{}:{}", host, port));
    server->exposer.RegisterCollectable(metrics.registry());
    return std::unique_ptr<MetricsListener>(new MetricsListener(std::move(server)));
  } catch (const std::exception& error) {
    return rocm::Fail(rocm::ErrorCode::kPortInUse,
                      fmt::format("cannot serve metrics at {}:{}: is the port in use? ({})", host,
                                  port, error.what()));
  }
}

MetricsListener::MetricsListener(std::unique_ptr<Server> server) : server_(std::move(server)) {}
MetricsListener::~MetricsListener() = default;

int MetricsListener::port() const {
  const std::vector<int> ports = server_->exposer.GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

std::string OwnHostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

rocm::Result<void> PushMetrics(const RunMetrics& metrics, const PushTarget& target) {
  const auto where = Split(target.url);
  if (!where) return rocm::Fail(where.error());
  const std::string job = ScrapeLabel(target.job);
  if (job.find_first_of("/?#% ") != std::string::npos) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument, "a job's name is one plain word");
  }
  // This version of the library has no timeout, so the push gets a thread that may outlive this
  // call and owns what it uses.
  auto answer = std::make_shared<std::promise<int>>();
  std::future<int> future = answer->get_future();
  std::thread pusher([host = where->host, port = where->port, job, instance = target.instance,
                      answer, registry = metrics.registry()] {
    try {
      answer->set_value(PushGroups(host, port, job, instance, registry));
    } catch (...) {
      answer->set_value(-1);
    }
  });
  ::pthread_setname_np(pusher.native_handle(), kPushThread.data());
  if (future.wait_for(target.timeout) != std::future_status::ready) {
    pusher.detach();
    return rocm::Fail(rocm::ErrorCode::kDeadlineExceeded,
                      fmt::format("the Pushgateway {} did not answer within {} ms", target.url,
                                  target.timeout.count()));
  }
  // It has nothing left to do but to end, and what OpenSSL keeps of it goes with it.
  pusher.join();
  return Answer(future.get(), target.url);
}

rocm::Result<fs::path> WriteTextfile(const RunMetrics& metrics, const fs::path& directory) {
  // node_exporter reads *.prom only, so it never sees the temporary file.
  const fs::path path = directory / "rocm_bench.prom";
  if (auto written = WriteFileAtomically(path, metrics.Text()); !written) {
    return rocm::Fail(std::move(written.error()));
  }
  return path;
}

std::string GroupingValue(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The gateway checks label values for UTF-8 too.
  const std::string clean = text.empty() ? std::string() : ScrapeLabel(text);
  if (clean.empty()) return "=";
  std::string out;
  for (std::size_t i = 0; i < clean.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8U | (i + k < clean.size() ? static_cast<unsigned char>(clean[i + k]) : 0U);
    }
    const std::size_t left = std::min<std::size_t>(3, clean.size() - i);
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= left)
        out += kDigits[bits >> (18 - 6 * k) & 63U];
      else
        out += '=';
    }
  }
  return out;
}

}  // namespace harness
