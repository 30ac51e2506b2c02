#pragma once

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1  // MPI's C++ classes, which are no longer part of it
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/background_sums.hpp"
#include "dualagent/collective/collective.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

namespace detail {

inline void check_mpi(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = {};
  int size = 0;
  MPI_Error_string(status, words, &size);
  throw Error("MPI says: " + std::string(words, static_cast<std::size_t>(size)), call,
              "See the other ranks' errors first");
}

template <class T>
MPI_Datatype mpi_type() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                "dualagent: MpiCollective sums float and double");
  return std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
}

}  // namespace detail

/// MPI from its beginning to its end: made at the beginning of main, outlives every MpiCollective.
///
/// A rank that an exception takes out of the scope ends all ranks (MPI_Abort): MPI has no other way
/// to free those that wait for it. Print the exception's words before: inside the scope.
/// Example: int main(int argc, char** argv) { MpiSession session(argc, argv); ... }
class MpiSession {
 public:
  /// Errors: Error if MPI cannot begin.
  MpiSession(int& argc, char**& argv) : exceptions_(std::uncaught_exceptions()) {
    int provided = MPI_THREAD_SINGLE;
    detail::check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided),
                      "MPI_Init_thread");
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession() {
    if (std::uncaught_exceptions() > exceptions_)
      MPI_Abort(MPI_COMM_WORLD, 1);
    else
      MPI_Finalize();
  }

 private:
  int exceptions_;
};

/// A rank of an MPI communicator (MPI 3; tested with Open MPI).
///
/// Sums are added in rank order by ranks that own a shard each, from what the others send them; MPI
/// moves the bytes. What is started goes on in a thread of the collective's own where MPI runs with
/// MPI_THREAD_MULTIPLE, as MpiSession asks for; else it is done at once. Copies of a handle are the
/// same rank. Ranks that wait sleep between looks, 50 microseconds each.
/// Determinism: the bits of a ThreadCollective of as many ranks, whatever MPI chooses.
/// Errors: Error with MPI's words; ranks that ask for different operations or bring arrays of
/// different sizes or types all get an Error. A rank that dies ends the job: mpirun kills the
/// other ranks within seconds and names it (so does srun with --kill-on-bad-exit); MPI gives them
/// no chance to catch an error. `abort` prints its reason and ends all ranks in the same way.
/// Example: MpiSession session(argc, argv);
///          Trainer trainer{pairing, protocol, reward, recipe, Sharded{MpiCollective()}, options};
class MpiCollective {
  struct Member;

 public:
  using Sum = StartedSum;

  /// All ranks of the communicator call it; it is duplicated. Errors: Error without MPI_Init.
  explicit MpiCollective(MPI_Comm ranks = MPI_COMM_WORLD)
      : member_(std::make_shared<Member>(ranks)) {}

  std::size_t rank() const { return member_->rank; }
  std::size_t size() const { return member_->size; }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    member_->background.finish();
    member_->all_reduce_sum(values);
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    member_->background.finish();
    member_->reduce_scatter_sum(values);
  }
  template <class T>
  void all_gather(std::span<T> values) {
    member_->background.finish();
    member_->all_gather(values);
  }
  /// Errors: also if `root` is not a rank.
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "MpiCollective::broadcast");
    member_->background.finish();
    member_->broadcast(values, root);
  }

  /// Starts `all_reduce_sum(values)`. The array stays as it is until `wait` has returned; a sum
  /// that is not waited for ends all ranks.
  template <class T>
  Sum start_all_reduce_sum(std::span<T> values) {
    return start([values](Member& member) { member.all_reduce_sum(values); });
  }
  /// Starts a sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "MpiCollective::start_reduce_sum");
    return start([values, root](Member& member) { member.reduce_sum(values, root); });
  }

  /// Prints the reason and ends all ranks.
  [[noreturn]] void abort(const std::string& reason) { member_->abort(reason); }

 private:
  enum class Operation : std::uint64_t {
    all_reduce_sum,
    reduce_scatter_sum,
    all_gather,
    broadcast,
    reduce_sum
  };

  struct Member {
    explicit Member(MPI_Comm all)
        : background([this] { abort("a sum that was started was not waited for"); }) {
      int begun = 0, provided = MPI_THREAD_SINGLE, number = 0;
      MPI_Initialized(&begun);
      if (begun == 0)
        throw Error("MPI has not begun", "MpiCollective", "Make an MpiSession in main before");
      detail::check_mpi(MPI_Comm_dup(all, &ranks), "MPI_Comm_dup");
      MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
      MPI_Query_thread(&provided);
      in_background = provided == MPI_THREAD_MULTIPLE;
      MPI_Comm_rank(ranks, &number);
      rank = static_cast<std::size_t>(number);
      MPI_Comm_size(ranks, &number);
      size = static_cast<std::size_t>(number);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member() {
      int ended = 0;
      MPI_Finalized(&ended);
      if (ended == 0 && ranks != MPI_COMM_NULL) MPI_Comm_free(&ranks);
    }

    [[noreturn]] void abort(const std::string& reason) {
      std::fprintf(stderr, "rank %zu gave up: %s\n", rank, reason.c_str());
      MPI_Abort(ranks, 1);
      std::terminate();
    }

    template <class T>
    void all_reduce_sum(std::span<T> values) {
      agree<T>(Operation::all_reduce_sum, 0, values.size());
      in_pieces(values, [&](std::size_t at) {
        add_own_piece(values, at);
        share_own_piece(values, at);
      });
    }
    template <class T>
    void reduce_scatter_sum(std::span<T> values) {
      agree<T>(Operation::reduce_scatter_sum, 0, values.size());
      in_pieces(values, [&](std::size_t at) { add_own_piece(values, at); });
    }
    template <class T>
    void all_gather(std::span<T> values) {
      agree<T>(Operation::all_gather, 0, values.size());
      in_pieces(values, [&](std::size_t at) { share_own_piece(values, at); });
    }
    template <class T>
    void broadcast(std::span<T> values, std::size_t root) {
      agree<T>(Operation::broadcast, root, values.size());
      for (std::size_t at = 0; at < values.size(); at += kPiece) {
        const std::span<T> part = values.subspan(at, std::min(kPiece, values.size() - at));
        requests.emplace_back();
        detail::check_mpi(
            MPI_Ibcast(part.data(), static_cast<int>(part.size()), detail::mpi_type<T>(),
                       static_cast<int>(root), ranks, &requests.back()),
            "MPI_Ibcast");
        wait();
      }
    }
    template <class T>
    void reduce_sum(std::span<T> values, std::size_t root) {
      agree<T>(Operation::reduce_sum, root, values.size());
      for (std::size_t at = 0; at < values.size(); at += kPiece) {
        const std::span<T> part = values.subspan(at, std::min(kPiece, values.size() - at));
        if (rank == root)
          add_from_all(part);
        else
          send(std::span<const T>(part), root);
        wait();
      }
    }

    MPI_Comm ranks = MPI_COMM_NULL;
    std::size_t rank = 0, size = 1;
    bool in_background = false;
    BackgroundSums background;  // after what its thread uses

   private:
    static constexpr std::size_t kPiece = std::size_t{1} << 18;  // elements in a message at most
    static constexpr int kTag = 7;

    /// All ranks show what they ask for.
    template <class T>
    void agree(Operation operation, std::size_t root, std::size_t elements) {
      using Request = std::array<std::uint64_t, 4>;
      const Request own{static_cast<std::uint64_t>(operation), sizeof(T), root, elements};
      std::vector<Request> all(size);
      requests.emplace_back();
      detail::check_mpi(MPI_Iallgather(own.data(), 4, MPI_UINT64_T, all.data(), 4, MPI_UINT64_T,
                                       ranks, &requests.back()),
                        "MPI_Iallgather");
      wait();
      const auto text = [&](std::size_t of) {
        static constexpr const char* kNames[] = {"all_reduce_sum", "reduce_scatter_sum",
                                                 "all_gather", "broadcast", "reduce_sum"};
        return std::to_string(all[of][3]) + (all[of][1] == 8 ? " doubles" : " floats") + " to " +
               kNames[all[of][0]] + " (root " + std::to_string(all[of][2]) + ")";
      };
      for (std::size_t other = 1; other < size; ++other)
        if (all[other] != all[0])
          throw Error("ranks do not agree: rank 0 brings " + text(0) + ", rank " +
                          std::to_string(other) + " brings " + text(other),
                      "MpiCollective", "All ranks must call the same operations in the same order");
    }

    /// Calls `work(at)` for at = 0, kPiece, ...: offsets in every rank's shard.
    template <class T, class Work>
    void in_pieces(std::span<T> values, const Work& work) {
      const std::size_t largest = (values.size() + size - 1) / size;
      for (std::size_t at = 0; at < largest; at += kPiece) work(at);
    }
    template <class T>
    std::span<T> piece(std::span<T> values, std::size_t of, std::size_t at) const {
      const Shard shard = shard_of(values.size(), of, size);
      const std::size_t begin = std::min(shard.begin + at, shard.end);
      return values.subspan(begin, std::min(kPiece, shard.end - begin));
    }

    template <class T>
    void add_own_piece(std::span<T> values, std::size_t at) {
      for (std::size_t other = 0; other < size; ++other)
        if (other != rank) send(std::span<const T>(piece(values, other, at)), other);
      add_from_all(piece(values, rank, at));
    }
    template <class T>
    void share_own_piece(std::span<T> values, std::size_t at) {
      for (std::size_t other = 0; other < size; ++other) {
        if (other == rank) continue;
        receive(piece(values, other, at), other);
        send(std::span<const T>(piece(values, rank, at)), other);
      }
      wait();
    }

    /// part = the sum over ranks, in their order, of what each sends for it.
    template <class T>
    void add_from_all(std::span<T> part) {
      std::vector<T>& room = std::get<std::vector<T>>(rooms_);
      room.resize(size * part.size());
      const auto of = [&](std::size_t other) {
        return std::span<T>(room).subspan(other * part.size(), part.size());
      };
      std::copy(part.begin(), part.end(), of(rank).begin());
      for (std::size_t other = 0; other < size; ++other)
        if (other != rank) receive(of(other), other);
      wait();
      std::copy(of(0).begin(), of(0).end(), part.begin());
      for (std::size_t other = 1; other < size; ++other)
        for (std::size_t i = 0; i < part.size(); ++i) part[i] += of(other)[i];
    }

    template <class T>
    void send(std::span<const T> values, std::size_t to) {
      if (values.empty()) return;
      requests.emplace_back();
      detail::check_mpi(
          MPI_Isend(values.data(), static_cast<int>(values.size()), detail::mpi_type<T>(),
                    static_cast<int>(to), kTag, ranks, &requests.back()),
          "MPI_Isend");
    }
    template <class T>
    void receive(std::span<T> values, std::size_t from) {
      if (values.empty()) return;
      requests.emplace_back();
      detail::check_mpi(
          MPI_Irecv(values.data(), static_cast<int>(values.size()), detail::mpi_type<T>(),
                    static_cast<int>(from), kTag, ranks, &requests.back()),
          "MPI_Irecv");
    }
    /// Until all that was begun has ended.
    void wait() {
      int done = 0;
      for (int looks = 0; done == 0; ++looks) {
        detail::check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done,
                                      MPI_STATUSES_IGNORE),
                          "MPI_Testall");
        const timespec pause{0, 50'000};
        if (done == 0 && looks > 2000) ::nanosleep(&pause, nullptr);
      }
      requests.clear();
    }

    std::vector<MPI_Request> requests;
    std::tuple<std::vector<float>, std::vector<double>> rooms_;
  };

  template <class Work>
  Sum start(Work work) {
    if (!member_->in_background) work(*member_);
    return {member_, member_->background.start([member = member_.get(), work] {
              if (member->in_background) work(*member);
            })};
  }

  std::shared_ptr<Member> member_;
};
static_assert(ShardingCollective<MpiCollective>);

}  // namespace dualagent
