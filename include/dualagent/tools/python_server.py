R"""(#"""
# The program of a Python server, which runs other programs in forks of itself.
#
# This file is Python, and python_server.hpp includes it as a text: its first line opens a raw string
# of C++ and its last one closes it; to Python they are a text that is not used and a comment.
#
# Arguments: 1 if it may kill every process it sees, else 0; its limit of CPU seconds.
#
# Standard input is a socket of messages, the first of which is this text. The server says "r" once it
# is ready. A message "p" brings the standard input and output of one program, which a child runs; the
# server kills what the child left, and answers with the child's wait status (4 bytes) and 1 if nothing
# of the program is left that a next one could notice, else 0. A message "s" brings a socket on which
# the child gets programs until it is closed, and answers each with one byte, the exit status. A
# traceback begins at the program's own first frame and shows its source lines, cut at 1000 characters.

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
#)"""
