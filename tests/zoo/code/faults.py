"""Does to its process what the first row's column `fault` says; `argument` is a number for it.

Answers the process id for each row, so that a test sees whether a worker was replaced. The names
of the faults are the methods of `Faults` after `fault_`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

LEAKED = []


def mebibytes(n):
    """Memory that is really taken: every page is written."""
    return bytearray(b"\1") * (int(n) << 20)


class Faults(PythonModel):
    def predict(self, context, model_input, params=None):
        argument = 0.0
        if "argument" in model_input:
            argument = float(model_input["argument"].fillna(0.0).iloc[0])
        getattr(self, "fault_" + model_input["fault"].iloc[0])(argument)
        return [os.getpid()] * len(model_input)

    def fault_none(self, argument):
        """Nothing is wrong."""

    def fault_sleep(self, seconds):
        """Sleep, coming back to the interpreter every 5 ms."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.005))

    def fault_sleep_c(self, seconds):
        """Sleep in one call that releases the GIL."""
        time.sleep(seconds)

    def fault_sleep_gil(self, seconds):
        """Sleep in calls that hold the GIL: no other thread of the process runs."""
        end = time.monotonic() + seconds
        library = ctypes.PyDLL(None)
        while time.monotonic() < end:
            library.usleep(900_000)

    def fault_sleep_deaf(self, seconds):
        """Sleep, swallowing every exception raised in the thread meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                while time.monotonic() < end:
                    time.sleep(0.005)
            except BaseException:
                continue

    def fault_spin(self, seconds):
        """Burn the processor in Python."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    def fault_raise(self, argument):
        raise RuntimeError("a fault was asked for")

    def fault_sys_exit(self, status):
        sys.exit(int(status))

    def fault_keyboard_interrupt(self, argument):
        raise KeyboardInterrupt

    def fault_recursion(self, argument):
        self.fault_recursion(argument)

    def fault_memory_error(self, argument):
        raise MemoryError

    def fault_exit(self, status):
        """End the process at once, no clean-up."""
        os._exit(int(status))

    def fault_segfault(self, argument):
        ctypes.string_at(0)

    def fault_abort(self, argument):
        os.abort()

    def fault_kill(self, argument):
        os.kill(os.getpid(), signal.SIGKILL)

    def fault_terminate(self, argument):
        os.kill(os.getpid(), signal.SIGTERM)

    def fault_stop(self, argument):
        """Stop the process, as a debugger or a frozen control group would."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def fault_allocate(self, n):
        """Take n MiB and give them back before answering."""
        mebibytes(n)

    def fault_allocate_forever(self, limit):
        """Take memory, 16 MiB at a time, until the process is stopped or `limit` MiB are taken."""
        taken = []
        while not limit or len(taken) * 16 < limit:
            taken.append(mebibytes(16))

    def fault_leak(self, n):
        """Take n MiB and keep them."""
        LEAKED.append(mebibytes(n))

    def fault_threads(self, n):
        """Leave n threads behind."""
        for _ in range(int(n)):
            threading.Thread(target=threading.Event().wait, args=(600,), daemon=True).start()

    def fault_fork(self, seconds):
        """Leave a forked child behind that sleeps, holding every file descriptor it inherited."""
        if os.fork() == 0:
            time.sleep(seconds)
            os._exit(0)

    def fault_fork_returns(self, argument):
        """Fork, and let the child return to the caller's code as well as the parent."""
        os.fork()

    def fault_subprocess(self, seconds):
        """Leave a program behind that sleeps."""
        subprocess.Popen(["sleep", str(seconds)])

    def fault_print(self, n):
        """Print n MiB of lines to stdout."""
        self.write_lines(sys.stdout, n)

    def fault_print_stderr(self, n):
        self.write_lines(sys.stderr, n)

    def fault_print_endless_line(self, n):
        """Print n MiB without a line end."""
        for _ in range(int(n)):
            sys.stdout.write("x" * (1 << 20))
        sys.stdout.flush()

    def fault_write_raw(self, argument):
        """Write bytes that are no text straight to descriptors 1 and 2."""
        for descriptor in (1, 2):
            os.write(descriptor, b"\x00\xff\xfe raw \x80 bytes\n" * 100)

    def fault_read_stdin(self, argument):
        sys.stdin.read()

    def fault_close_output(self, argument):
        """Close descriptors 0, 1 and 2."""
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    def fault_close_all(self, argument):
        """Close every descriptor of the process, whosever it is."""
        os.closerange(3, 4096)

    def fault_exhaust_descriptors(self, argument):
        """Open files until there are no descriptors left, and keep them."""
        try:
            while True:
                LEAKED.append(open(os.devnull))  # noqa: SIM115
        except OSError:
            return

    def fault_signals(self, argument):
        """Ignore the signals that would end the process politely."""
        # signal.signal() is refused outside of the main thread; the C function is not.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            ctypes.CDLL(None).signal(int(number), ctypes.c_void_p(1))

    def write_lines(self, stream, n):
        block = ("x" * 99 + "\n") * (1 << 10)
        written = 0
        while written < int(n) << 20:
            written += stream.write(block)
        stream.flush()


set_model(Faults())
