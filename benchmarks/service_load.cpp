// A service under clients of every kind: healthy ones beside malformed bodies, slow readers and
// senders, disconnects and bodies that are announced with 1 GB. The server is a process of its own.
//
// service_load
//   --clients 200
//   --seconds 600       prints the server's memory and the healthy clients' latency over time
//   --rounds 0          end after this many requests of a client (of a slow one: 1), not by time
//   --connections 512
//
// Fails if the server crashes, refuses a healthy client, answers anybody without the token, does
// not end orderly, or, over a time, grows.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/core/stop_signals.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/net/http_client.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "options.hpp"
#include "support/raw_connection.hpp"

namespace {

using namespace dualagent;
using raw_connection::RawConnection;
using Clock = std::chrono::steady_clock;

const std::string kToken = "the-token-of-this-run";
const std::string kAuthorization = "Authorization: Bearer " + kToken;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The server's process: says its port through the pipe, serves until SIGTERM.
int serve(int pipe, std::size_t connections) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  TransformerConfig config;
  config.vocab_size = 512;
  config.hidden_size = 64;
  config.intermediate_size = 128;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.max_position_embeddings = 256;
  Transformer<float> model(config);
  const StopSignals signals;
  SamplerService service(
      model, {.http = {.token = kToken,
                       .max_connections = connections,
                       .patience = {.idle_seconds = 5, .read_seconds = 2, .write_seconds = 2}},
              .loop = {.max_running = 32, .max_queued = 512}});
  service.start();
  const int port = service.port();
  if (::write(pipe, &port, sizeof(port)) != sizeof(port)) return 1;
  while (!StopSignals::requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::puts(service.metrics().c_str());
  service.stop();
  return 0;
}

struct Run {
  int port = 0;
  pid_t server = 0;
  std::size_t rounds = 0;  // of each client; 0: until it is over
  std::atomic<bool> over = false;
  std::atomic<std::size_t> healthy = 0, busy = 0, wrong = 0, hostile = 0;
  std::mutex mutex;
  std::vector<double> latencies = {};  // seconds, since the last look
  std::string first_wrong = {};

  bool goes_on(std::size_t round) const { return !over && (rounds == 0 || round < rounds); }
  void found_wrong(const std::string& what) {
    ++wrong;
    const std::lock_guard lock(mutex);
    if (first_wrong.empty()) first_wrong = what.substr(0, 300);
  }
};

std::string generation(std::size_t client, std::size_t i, std::size_t new_tokens, bool stream) {
  return R"({"input_ids": [)" + std::to_string(client % 512) + ", " + std::to_string(i % 512) +
         R"(, 3, 4], "return_logprob": true, "stream": )" + (stream ? "true" : "false") +
         R"(, "sampling_params": {"max_new_tokens": )" + std::to_string(new_tokens) + "}}";
}
std::string post(const std::string& body, const std::string& more = {}) {
  return "POST /generate HTTP/1.1\r\n" + kAuthorization + "\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void healthy(Run& run, std::size_t client) {
  HttpClient http;
  for (std::size_t i = 0; run.goes_on(i); ++i) {
    const Clock::time_point begin = Clock::now();
    const HttpReply reply =
        http.fetch({.url = "http://127.0.0.1:" + std::to_string(run.port) + "/generate",
                    .body = generation(client, i, 8, false),
                    .headers = {kAuthorization},
                    .timeout_seconds = 60});
    if (reply.ok()) {
      ++run.healthy;
      const std::lock_guard lock(run.mutex);
      run.latencies.push_back(since(begin));
    } else if (reply.status == 429 || reply.status == 503) {
      ++run.busy;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    } else {
      run.found_wrong("a healthy client got HTTP " + std::to_string(reply.status) + " " +
                      reply.reason + reply.body);
    }
  }
}

/// Sends bytes that are refused, and looks that they are, with one of these statuses.
void refused(Run& run, const std::string& bytes, std::initializer_list<const char*> statuses) {
  RawConnection connection(run.port);
  connection.send(bytes);
  const std::string reply = connection.read_until("\r\n");
  const std::string status = reply.size() < 12 ? "none" : reply.substr(9, 3);
  for (const char* allowed : statuses)
    if (status == allowed) return;
  if (status != "503" && status != "none") run.found_wrong(bytes.substr(0, 100) + " got " + reply);
}

void malformed(Run& run, std::size_t i) {
  switch (i % 6) {
    case 0:
      return refused(run, post("{"), {"400"});
    case 1:
      return refused(run, post(R"({"input_ids": [99999]})"), {"400"});
    case 2:
      return refused(run, post(R"({"input_ids": [1], "sampling_params": {"temperature": "x"}})"),
                     {"400"});
    case 3:
      return refused(run, std::string(3000, '\xFF') + "\r\n\r\n", {"400", "401"});
    case 4:
      return refused(run, post(std::string(100000, '[')), {"400"});
    default:
      return refused(run, "GET /metrics HTTP/1.1\r\n\r\n", {"401"});
  }
}
/// Reads a stream a byte at a time, and leaves in its middle.
void slow_reader(Run& run, std::size_t i) {
  RawConnection connection(run.port);
  connection.send(post(generation(1, i, 200, true)));
  for (int n = 0; n < 20 && !run.over; ++n) {
    connection.read_some(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}
void slow_sender(Run& run, std::size_t i) {
  const std::string bytes = post(generation(1, i, 8, false));
  RawConnection connection(run.port);
  for (const char c : bytes) {  // until the server's patience ends
    if (run.over || !connection.send(std::string(1, c))) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}
void disconnect(Run& run, std::size_t i) {
  const std::string bytes = post(generation(2, i, 200, i % 2 == 0));
  RawConnection connection(run.port);
  connection.send(bytes.substr(0, i % 3 == 0 ? bytes.size() / 2 : bytes.size()));
  if (i % 4 == 0) connection.read_some(1);
}
void huge(Run& run, std::size_t) {
  const std::string head = "POST /generate HTTP/1.1\r\n" + kAuthorization + "\r\n";
  refused(run, head + "Content-Length: 1073741824\r\n\r\n" + std::string(65536, '['), {"413"});
  refused(run, head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n" + std::string(65536, '['),
          {"411"});
}

void client(Run& run, std::size_t number) {
  constexpr std::array<void (*)(Run&, std::size_t), 5> kHostile{malformed, slow_reader, slow_sender,
                                                                disconnect, huge};
  if (number % 10 < 5) return healthy(run, number);
  const auto kind = kHostile[number % kHostile.size()];
  for (std::size_t i = 0; run.goes_on(i); ++i) try {
      kind(run, i);
      ++run.hostile;
      if (run.rounds > 0 && (kind == slow_reader || kind == slow_sender)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } catch (const std::exception& error) {
      run.found_wrong(error.what());  // the server takes no connections
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

double percentile(std::vector<double>& sorted, double fraction) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(fraction * static_cast<double>(sorted.size())))];
}

/// A line of the server's /proc/PID/status, e.g. "Threads".
std::string status_line(pid_t process, const std::string& key) {
  const std::string status = read_file("/proc/" + std::to_string(process) + "/status");
  const std::size_t begin = status.find(key + ":") + key.size() + 1;
  return std::string(trimmed(status.substr(begin, status.find('\n', begin) - begin)));
}
double resident_mib(pid_t process) { return std::stod(status_line(process, "VmRSS")) / 1024.0; }

/// Prints a line for each tenth of the time; returns the memory at each.
std::vector<double> watch(Run& run, double seconds) {
  std::vector<double> memory;
  const Clock::time_point begin = Clock::now();
  std::puts("  time    memory threads  healthy  p50      p99      busy  hostile  wrong");
  for (int part = 1; part <= 10; ++part) {
    std::this_thread::sleep_until(begin + std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>(seconds * part / 10)));
    std::vector<double> times;
    {
      const std::lock_guard lock(run.mutex);
      times.swap(run.latencies);
    }
    std::sort(times.begin(), times.end());
    memory.push_back(resident_mib(run.server));
    std::printf("%5.0f s %5.1f MiB %7s %8zu %5.0f ms %6.0f ms %7zu %8zu %6zu\n", since(begin),
                memory.back(), status_line(run.server, "Threads").c_str(), run.healthy.load(),
                percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3, run.busy.load(),
                run.hostile.load(), run.wrong.load());
    std::fflush(stdout);
  }
  return memory;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::size_t clients = options.number("--clients", 200);
  const double seconds = std::stod(options.text("--seconds", "600"));
  std::array<int, 2> pipe{};
  Run run;
  run.rounds = options.number("--rounds", 0);
  if (::pipe(pipe.data()) != 0 || (run.server = ::fork()) < 0) return 1;
  if (run.server == 0) return serve(pipe[1], options.number("--connections", 512));
  if (::read(pipe[0], &run.port, sizeof(run.port)) != sizeof(run.port)) return 1;

  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients; ++i) threads.emplace_back([&run, i] { client(run, i); });
  std::vector<double> memory(10, 0.0);
  if (run.rounds == 0) {
    memory = watch(run, seconds);
    run.over = true;
  }
  for (std::thread& thread : threads) thread.join();
  ::kill(run.server, SIGTERM);
  int status = 0;
  ::waitpid(run.server, &status, 0);

  const double grown = memory[9] - memory[2];
  const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::printf("%zu clients: %zu healthy replies, %zu hostile requests, %zu wrong, server %s\n",
              clients, run.healthy.load(), run.hostile.load(), run.wrong.load(),
              ended ? "ended orderly" : "DIED");
  if (run.rounds == 0)
    std::printf("%.0f s: memory %+.1f MiB after the first 30 %%\n", seconds, grown);
  if (run.wrong > 0) std::printf("first: %s\n", run.first_wrong.c_str());
  return ended && run.wrong == 0 && run.healthy > 0 && grown < 16 ? 0 : 1;
}
