#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/tools/child_process.hpp"
#include "dualagent/tools/process_io.hpp"
#include "dualagent/tools/sandbox.hpp"
#include "dualagent/tools/sandboxed_process.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent::detail {

/// Takes the server's program from standard input. As an argument of -c, its text would be kept
/// several times, its syntax tree once, and every fork would copy their pages.
inline constexpr const char* kPythonLoader =
    "import os; exec(compile(os.read(0, 65536), 'server', 'exec'))";

/// The server's program. Arguments: 1 if it may kill every process it sees, else 0; its limit of
/// CPU seconds.
///
/// Standard input is a socket of messages, the first of which is this text. The server says "r"
/// once it is ready. A message "p" brings the standard input and output of one program, which a
/// child runs; the server kills what the child left, and answers with the child's wait status (4
/// bytes) and 1 if nothing of the program is left that a next one could notice, else 0. A message
/// "s" brings a socket on which the child gets programs until it is closed, and answers each with
/// one byte, the exit status.
/// A traceback begins at the program's own first frame and shows its source lines, cut at 1000
/// characters.
inline constexpr std::string_view kPythonServer = R"py(
def serve(owns_all, cpu_seconds):
    import sys
    sys.path[:] = [path for path in sys.path if path]  # not the working folder, as -I has it
    import atexit, gc, os, stat, time, _socket
    import _ctypes  # not ctypes, whose types every fork would copy
    libc = _ctypes.dlopen(None, 0)

    def call(name, *arguments):
        return _ctypes.call_cdeclfunction(_ctypes.dlsym(libc, name), arguments)

    def prctl(option, value):
        if call('prctl', option, value, 0, 0, 0) != 0:
            raise OSError('prctl')

    def receive(channel):
        kind, extra, _, _ = channel.recvmsg(1, 64)
        data = extra[0][2] if extra else b''
        return kind, [int.from_bytes(data[i:i + 4], sys.byteorder) for i in range(0, len(data), 4)]

    def show(error, source):
        try:
            import linecache, traceback  # not before, because every fork would copy their pages
            lines = source.decode('utf-8', 'replace').splitlines(True)
            linecache.cache['<code>'] = (len(source), None, lines, '<code>')
            text = ''.join(traceback.format_exception(error))
        except BaseException:  # no memory or descriptor is left
            text = type(error).__name__ + ': ' + str(error)
        for line in text.splitlines():
            sys.stderr.write((line if len(line) < 1000 else line[:1000] + '...') + '\n')

    def run(source, names):
        try:
            exec(compile(source, '<code>', 'exec', dont_inherit=True), names)
        except SystemExit as end:
            if end.code is None or isinstance(end.code, int):
                return (end.code or 0) & 255
            sys.stderr.write(str(end.code) + '\n')
            return 1
        except BaseException as error:
            try:
                sys.stdout.flush()
            except Exception:
                pass
            show(error.with_traceback(error.__traceback__.tb_next), source)
            return 1
        return 0

    def run_given(source_fd, output_fd, names):
        os.dup2(source_fd, 0)
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        os.close(source_fd)
        os.close(output_fd)
        source = sys.stdin.buffer.read()
        return run(source, names) if source.strip() else 0

    def finish(status):  # what an interpreter's end does, without tearing down its modules
        if 'threading' in sys.modules:
            sys.modules['threading']._shutdown()
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
        except Exception:
            pass
        os._exit(status)

    def child(kind, descriptors):
        os.closerange(own[0], own[-1] + 1)  # their numbers follow each other
        if owns_all:  # else the host kills by the server's group
            os.setpgid(0, 0)  # not setsid, which makes a group of the kernel's scheduler as well
        gc.enable()
        if kind == b'p':
            finish(run_given(*descriptors, names))
        channel = _socket.socket(fileno=descriptors[0])
        while True:
            kind, descriptors = receive(channel)
            if not kind:
                finish(0)
            status = run_given(*descriptors, names)
            nothing = os.open('/dev/null', os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(nothing, fd)
            os.close(nothing)
            channel.send(bytes([status]))

    def watch(path):
        try:
            return os.open(path, os.O_RDONLY)
        except OSError:
            return -1  # the kernel does not have it

    def seen(fd):
        text = b''
        while True:  # a file of /proc gives whole lines, a page of them at most at a time
            part = os.pread(fd, 4096, len(text)) if fd >= 0 else b''
            text += part
            if len(part) < 2048:  # the next line would have had room
                return text

    def attributes(folder):
        try:
            return os.listxattr(folder)
        except OSError:
            return None  # the file system has none

    def traces():  # what one program could leave for the next, besides processes and files
        return ([seen(fd) for fd in watched], [os.stat(folder).st_mode for folder in folders],
                [attributes(folder) for folder in folders],
                os.getpriority(0, 0), os.sched_getscheduler(0), os.sched_getaffinity(0))

    def kill_others():
        try:
            os.kill(-1, 9)
            while True:
                os.waitpid(-1, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def has_shared_memory():  # of this sandbox alone, not the host's
        try:
            return os.stat('/dev/shm').st_uid == os.getuid() and not os.listdir('/dev/shm')
        except OSError:
            return False

    def is_emptied(folder):
        try:
            names = os.listdir(folder)
            for name in names:
                path = folder + '/' + name
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    return False
                os.unlink(path)
            return not names or not os.listdir(folder)
        except OSError:
            return False  # the program took a permission away

    def clean_up():
        if children < 0 or os.pread(children, 1, 0):
            kill_others()
        return (all([is_emptied(folder) for folder in folders]) and traces() == before and
                time.process_time() < 0.5 * cpu_seconds)

    control = _socket.socket(fileno=os.dup(0))
    nothing = os.open('/dev/null', os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    prctl(4, 0)   # PR_SET_DUMPABLE: no program of the same user reads or writes this memory
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: children of children end up here
    for source in (b'0', b'import math\nprint(end="")'):  # what is done once need not be done in forks
        source_fd, end = os.pipe()
        os.write(end, source)
        os.close(end)
        kept = [os.dup(fd) for fd in (0, 1, 2)]
        run_given(source_fd, os.dup(1), {})
        for fd in (0, 1, 2):
            os.dup2(kept[fd], fd)
            os.close(kept[fd])
    main = type(sys)('__main__')
    main.__builtins__ = __builtins__
    sys.modules['__main__'] = main
    names = main.__dict__
    watched = [watch(path) for path in ('/proc/self/limits', '/proc/key-users', '/proc/sysvipc/shm',
                                        '/proc/sysvipc/sem', '/proc/sysvipc/msg',
                                        '/proc/self/autogroup')]
    children = watch('/proc/self/task/%d/children' % os.getpid())
    folders = ['.', '/dev/shm'] if has_shared_memory() else ['.']
    before = traces()
    own = [fd for fd in (control.fileno(), *watched, children) if fd >= 0]
    os.environ.pop('LD_BIND_NOW', None)
    gc.collect()
    try:
        call('malloc_trim', 0)
    except OSError:
        pass  # another C library than glibc
    gc.disable()
    gc.freeze()
    control.send(b'r')
    while True:
        kind, descriptors = receive(control)
        if not kind:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            try:
                child(kind, descriptors)
            finally:
                os._exit(1)
        for fd in descriptors:
            os.close(fd)
        _, status = os.waitpid(pid, 0)
        usable = owns_all and clean_up()
        control.send(status.to_bytes(4, sys.byteorder) + bytes([usable]))
        if not usable:
            os._exit(0)

import sys
serve(sys.argv[1] == '1', int(sys.argv[2]))
)py";

static_assert(kPythonServer.size() < 65536, "kPythonLoader reads one message of that size");

/// Sends one letter and some descriptors over a socket of messages. False if nobody is there.
template <std::size_t N>
bool send_descriptors(int socket, char letter, const std::array<int, N>& descriptors) {
  iovec text{&letter, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * N)> space{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * N);
  std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * N);
  ssize_t sent = -1;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent == 1;
}

/// One message of at most N bytes; the number of bytes, 0 if the other side is gone.
template <std::size_t N>
std::size_t receive_message(int socket, std::array<char, N>& bytes) {
  ssize_t count = -1;
  do count = recv(socket, bytes.data(), N, 0);
  while (count < 0 && errno == EINTR);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

/// A Python interpreter in a sandbox of its own that forks a child for every program.
///
/// The programs of one server share its sandbox one after the other, never at the same time. They
/// cannot reach the server: it is not dumpable and, under Bubblewrap, process 1. After each it
/// kills every process left, empties the working folder and /dev/shm and looks for other traces; if
/// it finds any, it ends, and `reusable` is false.
/// Errors: AbortRollout if the interpreter cannot be started.
class PythonServer {
 public:
  template <class S>
  PythonServer(const S& sandbox, const std::vector<std::string>& python)
      : PythonServer(sandbox.launch(command(sandbox.limits, python, "1"), SandboxRole::server),
                     sandbox.limits) {}

  /// Whether the next program finds nothing of the last one.
  bool reusable() const { return reusable_; }
  bool ended() const { return ended_; }
  /// Whether it still waits for its next program; else something outside has ended it.
  bool waits() const { return !message_within(0); }

  /// Runs one program from its first byte to the end of its last process.
  ProcessResult run(std::string_view code, const std::stop_token& cancel) {
    ProcessResult result;
    if (!converse(process_.socket(), code, process_.socket(), cancel, result)) return result;
    take_status(result);
    return result;
  }

  /// Runs one program of a session: names that it defines are there for the next. What ends the
  /// session (`os._exit`, a limit, a crash) ends the server. A server of a session is not reusable.
  ProcessResult run_in_session(std::string_view code, const std::stop_token& cancel) {
    ProcessResult result;
    if (session_.get() < 0) begin_session();
    if (!converse(session_.get(), code, session_.get(), cancel, result)) return result;
    std::array<char, 1> status{};
    if (receive_message(session_.get(), status) == 1) {
      result.code = static_cast<unsigned char>(status[0]);
      return result;
    }
    if (message_within(1000))
      take_status(result);  // it ended, or only closed its socket
    else
      result.set_status(SIGKILL);
    end();
    return result;
  }

 private:
  PythonServer(SandboxLaunch launch, const SandboxLimits& limits)
      : limits_(limits), process_(with_ownership(launch), limits, StandardInput::socket) {
    send(process_.socket(), kPythonServer.data(), kPythonServer.size(), MSG_NOSIGNAL);
    std::array<char, 1> letter{};
    if (!message_within(60'000) || receive_message(process_.socket(), letter) != 1)
      throw AbortRollout("the interpreter does not start: " + first_output(), "python tool",
                         "Check PythonOptions::python and the sandbox's limits");
  }

  static std::vector<std::string> command(const SandboxLimits& limits,
                                          std::vector<std::string> python, const char* owns_all) {
    python.insert(python.end(),
                  {"-c", kPythonLoader, owns_all, std::to_string(limits.cpu_seconds)});
    // Symbols are bound once in the server and not once in every fork. Without random hashes the
    // order of a set of texts is the same in every interpreter.
    python.insert(python.begin(), {"/usr/bin/env", "LD_BIND_NOW=1", "PYTHONHASHSEED=0"});
    return python;
  }

  /// A server that does not own all processes it sees must kill none.
  static SandboxLaunch with_ownership(SandboxLaunch& launch) {
    if (!launch.owns_all_processes) launch.argv.at(launch.argv.size() - 2) = "0";
    return std::move(launch);
  }

  std::string first_output() {
    std::array<char, 2000> bytes{};
    fcntl(process_.output(), F_SETFL, O_NONBLOCK);
    const ssize_t count = read(process_.output(), bytes.data(), bytes.size());
    return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : "it is silent";
  }

  /// False if the program was killed, and the server with it.
  bool converse(int socket, std::string_view code, int ended, const std::stop_token& cancel,
                ProcessResult& result) {
    Pipe in, out;
    const bool sent = send_descriptors(socket, 'p', std::array{in.read.get(), out.write.get()});
    if (!sent && socket == process_.socket()) {
      end();
      throw AbortRollout("a waiting interpreter has ended", "python tool",
                         "Look for what kills processes on this machine, e.g. for want of memory");
    }
    in.read.close();
    out.write.close();
    const bool done = ProcessIo(std::move(in.write), std::move(out.read), limits_)
                          .run(code, ended, cancel, result);
    if (!done) end();
    return done;
  }

  /// Whether the server says something, or is gone, within that time.
  bool message_within(int milliseconds) const {
    pollfd message{process_.socket(), POLLIN, 0};
    int count = -1;
    do count = poll(&message, 1, milliseconds);
    while (count < 0 && errno == EINTR);
    return count > 0;
  }

  void begin_session() {
    SocketPair channel;
    send_descriptors(process_.socket(), 's', std::array{channel.theirs.get()});
    session_ = std::move(channel.ours);
    reusable_ = false;
  }

  /// The wait status of the child, or of a server that the program managed to end.
  void take_status(ProcessResult& result) {
    std::array<char, 5> message{};
    if (receive_message(process_.socket(), message) == 5) {
      int status = 0;
      std::memcpy(&status, message.data(), sizeof status);
      result.set_status(status);
    } else {
      result.set_status(SIGKILL);
    }
    if (message[4] != 1) end();
  }

  void end() {
    process_.stop();
    reusable_ = false;
    ended_ = true;
  }

  SandboxLimits limits_;
  SandboxedProcess process_;
  FileDescriptor session_;
  bool reusable_ = true;
  bool ended_ = false;
};

/// Python servers that wait for work, kept at a given number by a thread of their own. All are
/// started by that thread, which lives as long as the pool: a sandbox dies with its maker.
template <class S>
class PythonServerPool {
 public:
  PythonServerPool(S sandbox, std::vector<std::string> python, std::size_t size)
      : sandbox_(std::move(sandbox)), python_(std::move(python)), size_(size) {
    keeper_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
  }

  /// A waiting server; starts one more if all are at work.
  /// Errors: AbortRollout if none can be started.
  std::unique_ptr<PythonServer> take() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++takers_;
      if (idle_.empty()) wanted_.notify_one();
      ready_.wait(lock, [&] { return !idle_.empty() || !problem_.empty(); });
      --takers_;
      if (idle_.empty()) throw AbortRollout(std::exchange(problem_, {}));
      auto server = std::move(idle_.front());
      idle_.pop_front();
      if (server->waits()) {
        ++at_work_;
        return server;
      }
      ended_.push_back(std::move(server));
      wanted_.notify_one();
    }
  }

  /// Takes a server back; the pool's thread ends it unless it is reusable and wanted.
  void give_back(std::unique_ptr<PythonServer> server) {
    const std::lock_guard lock(mutex_);
    --at_work_;
    if (server->reusable() && at_work_ + idle_.size() < size_) {
      idle_.push_front(std::move(server));  // its memory is in the caches
      ready_.notify_one();
    } else {
      ended_.push_back(std::move(server));
      wanted_.notify_one();
    }
  }

 private:
  bool wants_more() const {
    return takers_ > idle_.size() || (problem_.empty() && idle_.size() + at_work_ < size_);
  }

  void keep(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (wanted_.wait(lock, stop, [&] { return wants_more() || !ended_.empty(); }) &&
           !stop.stop_requested()) {
      auto ended = std::exchange(ended_, {});
      const bool more = wants_more();
      lock.unlock();
      ended.clear();
      std::string problem;
      std::unique_ptr<PythonServer> server = more ? start(problem) : nullptr;
      lock.lock();
      if (!more) continue;
      if (server != nullptr) idle_.push_back(std::move(server));
      problem_ = std::move(problem);
      ready_.notify_all();
    }
  }

  std::unique_ptr<PythonServer> start(std::string& problem) const {
    try {
      return std::make_unique<PythonServer>(sandbox_, python_);
    } catch (const std::exception& error) {
      problem = error.what();
      return nullptr;
    }
  }

  S sandbox_;
  std::vector<std::string> python_;
  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable_any wanted_;
  std::deque<std::unique_ptr<PythonServer>> idle_;
  std::vector<std::unique_ptr<PythonServer>> ended_;
  std::size_t takers_ = 0;
  std::size_t at_work_ = 0;
  std::string problem_;
  std::jthread keeper_;  // last: ends before what it uses
};

}  // namespace dualagent::detail
