#pragma once

/// Definitions of tool_workers.hpp; see core/compiled.hpp.

#include "dualagent/rollout/tool_workers.hpp"

namespace dualagent {

DUALAGENT_INLINE ToolWorkers::ToolWorkers(std::shared_ptr<Completions> completions,
                                          std::size_t threads, double deadline_seconds,
                                          StartThread start_thread)
    : threads_(threads),
      deadline_seconds_(deadline_seconds),
      start_thread_(std::move(start_thread)),
      shared_(std::make_shared<Shared>(std::move(completions))) {
  workers_.reserve(threads);
  try {
    start_missing_workers();
  } catch (const std::exception& error) {
    const std::size_t started = workers_.size();
    end();
    throw Error("only " + std::to_string(started) + " of " + std::to_string(threads) +
                    " threads could be started: " + error.what(),
                "SchedulerOptions::tool_threads", "Ask for fewer threads");
  }
}

DUALAGENT_INLINE void ToolWorkers::submit(std::size_t id, Job job) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back({id, std::move(job)});
  }
  shared_->work.notify_one();
}

DUALAGENT_INLINE auto ToolWorkers::expire_late() -> std::optional<Clock::time_point> {
  std::unique_lock lock(shared_->mutex);
  std::vector<std::stop_source> late = leave_late_jobs(Clock::now());
  lock.unlock();  // stop callbacks may do anything
  for (std::stop_source& source : late) source.request_stop();
  replace_left_workers();
  lock.lock();
  return next_deadline();
}

DUALAGENT_INLINE void ToolWorkers::end() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  std::deque<Submitted> dropped = std::exchange(shared_->queue, {});
  std::vector<std::stop_source> running;
  for (const Worker& worker : workers_)
    if (worker.seat->busy) running.push_back(worker.seat->cancel);
  lock.unlock();  // jobs' destructors and stop callbacks may do anything
  shared_->work.notify_all();
  dropped.clear();
  for (std::stop_source& source : running) source.request_stop();
  lock.lock();
  shared_->idle.wait_for(lock, std::chrono::seconds(1), [&] {
    return std::none_of(workers_.begin(), workers_.end(),
                        [](const Worker& worker) { return worker.seat->busy; });
  });
  std::vector<std::thread> idle;
  for (Worker& worker : workers_) {
    if (worker.seat->busy)
      leave(worker);
    else
      idle.push_back(std::move(worker.thread));
  }
  lock.unlock();
  for (std::thread& thread : idle) thread.join();
}

DUALAGENT_INLINE void ToolWorkers::start_missing_workers() {
  while (workers_.size() < threads_) {
    Worker worker{std::make_shared<Seat>(), {}};
    worker.thread = start_thread_([shared = shared_, seat = worker.seat,
                                   seconds = deadline_seconds_] { serve(shared, seat, seconds); });
    workers_.push_back(std::move(worker));
  }
}

DUALAGENT_INLINE void ToolWorkers::replace_left_workers() {
  try {
    start_missing_workers();
  } catch (const std::exception& error) {
    const std::string problem =
        std::string("no thread could be started for that of a tool that missed its deadline: ") +
        error.what();
    if (workers_.empty())
      throw Error(problem, "SchedulerOptions::tool_threads",
                  "Let tools end when their CallInfo::cancel asks them to");
    if (!std::exchange(warned_, true))
      warn(problem + "; tools go on with " + std::to_string(workers_.size()) + " of " +
           std::to_string(threads_) + " threads");
  }
}

DUALAGENT_INLINE std::vector<std::stop_source> ToolWorkers::leave_late_jobs(Clock::time_point now) {
  std::vector<std::stop_source> late;
  std::erase_if(workers_, [&](Worker& worker) {
    if (!worker.seat->busy || !worker.seat->deadline || now < *worker.seat->deadline) return false;
    late.push_back(worker.seat->cancel);
    shared_->completions->post({worker.seat->id, Outcome::expired});
    leave(worker);
    return true;
  });
  return late;
}

DUALAGENT_INLINE auto ToolWorkers::next_deadline() const -> std::optional<Clock::time_point> {
  std::optional<Clock::time_point> next;
  for (const Worker& worker : workers_)
    if (worker.seat->busy && worker.seat->deadline && (!next || *worker.seat->deadline < *next))
      next = worker.seat->deadline;
  return next;
}

DUALAGENT_INLINE auto ToolWorkers::deadline_after(double seconds)
    -> std::optional<Clock::time_point> {
  constexpr double kLongest = 1e9;  // seconds that the clock can be moved by
  if (!(seconds < kLongest)) return std::nullopt;
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

DUALAGENT_INLINE void ToolWorkers::serve(std::shared_ptr<Shared> shared, std::shared_ptr<Seat> seat,
                                         double deadline_seconds) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->work.wait(lock, [&] { return shared->stop || !shared->queue.empty(); });
    if (shared->stop) return;
    Submitted job = std::move(shared->queue.front());
    shared->queue.pop_front();
    seat->busy = true;
    seat->id = job.id;
    seat->cancel = std::stop_source();
    seat->deadline = deadline_after(deadline_seconds);
    const std::stop_token cancel = seat->cancel.get_token();
    if (seat->deadline) shared->completions->wake();  // who waits has one more deadline
    lock.unlock();
    Finished finished{job.id};
    try {
      job.run(cancel);
    } catch (...) {
      finished = {job.id, Outcome::threw, std::current_exception()};
    }
    job.run = {};  // what it owns, before it counts as done
    lock.lock();
    if (seat->left) return;
    seat->busy = false;
    shared->completions->post(std::move(finished));
    shared->idle.notify_all();
  }
}

}  // namespace dualagent
