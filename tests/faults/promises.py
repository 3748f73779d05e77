"""What is tried, by number, and what must come of it.

F: that candidate has FAILED with the reason, and the search goes on. R: refused before any work. S: the
run stops with one clear line, loses nothing, and the same command resumes it. =: the journal ends as that
of a run that was left alone.
"""

from collections.abc import Mapping

PROMISES: Mapping[int, str] = {
    # candidate
    1: "raises → F",
    2: "a loss that is NaN or infinite → F",
    3: "a metric that is None or text → F",
    4: "segmentation fault → F",
    5: "os._exit(0) without a result → F",
    6: "a worker gets SIGKILL → F, that one alone",
    7: "RLIMIT_AS in a worker → F",
    8: "torch.OutOfMemoryError → F, the next one fits",
    9: "SIGSTOP → F at the time limit",
    10: "a loop that ignores SIGTERM → F",
    11: "leaves grandchildren → its group is killed",
    12: "100 MB of output → dropped",
    13: "a malformed result, or one of more than 1 GB → F",
    14: "all fail → stops after ten with a summary",
    15: "an answer to another request → refused by its number",
    # coordinator
    16: "kill -9 at random → =",
    17: "killed around each write and fsync → =",
    18: "a torn write → =",
    19: "SIGINT once, twice → 130",
    20: "SIGTERM → 143",
    21: "SIGKILL → workers end too",
    22: "killed during recovery → =",
    23: "killed between a file and its record → =, the file is replaced",
    24: "a second process on the run directory → R",
    25: "a lock of a process that ended → starts",
    26: "the clock a day off → no effect",
    27: "SIGSTOP for a while → nothing lost, nothing twice",
    # storage
    28: "the disk is full → S",
    29: "a write fails with ENOSPC → S",
    30: "fsync fails → S, not tried again",
    31: "RLIMIT_FSIZE → S",
    32: "a directory that cannot be written → R",
    33: "RLIMIT_NOFILE of 32 → R or S",
    34: "a flipped bit in the middle → R with its offset",
    35: "cut at every byte of the last record → =",
    36: "the journal is gone, files are there → R",
    37: "a newer format → R; older ones → opened",
    38: "a damaged file of the best candidate → made again",
    39: "the directory was moved → resumes",
    40: "another configuration or data → R with the difference",
    41: "the TensorBoard folder cannot be written → a warning",
    # input
    42: "a misspelt option → did you mean",
    43: "1e-3, keys given twice, `no` → as meant, or R",
    44: "alias bombs, 5,000 levels of nesting → bounded",
    45: "data that is missing or empty → R",
    46: "labels out of range → R",
    47: "inputs that are NaN or of a wrong shape or type → R",
    48: "an empty split, a single class → R",
    49: "a budget that nothing can meet → says the smallest cost",
    50: "zero or negative trials or workers → R",
    # security
    51: "a pickle for weights → R, and never run",
    52: "`!!python/object` in a configuration → R",
    53: "code named in a configuration → R",
    54: "run names with NUL or of 300 characters → R",
    55: "archive members that leave the directory → nothing is written",
    56: "decompression bombs → R at a cap",
    57: "lying headers, holes, each byte flipped → R, never a crash",
    58: "a link at a temporary target → not written through",
    59: "open ports → on loopback alone",
    60: "<script> and =cmd in names → escaped",
    # found by trying
    61: "sys.exit, KeyboardInterrupt, an error without text → F",
    62: "writes into samples → the next result is as it would have been",
    63: "changes settings of torch, warnings, environment → likewise",
    64: "a long call of C while SIGTERM arrives → ends",
    65: "a grandchild that keeps the lock → killed, the next run starts",
    66: "a signal within a bare except → as 19 and 20",
    67: "200 MB of error text → cut",
    68: "--out is a device, a pipe, a socket, a folder → R, untouched",
    69: "a small file that asks for much when it runs → R at a cap",
    70: "damaged weights at export → R with the path; trained again",
    71: "values that look like YAML → as meant, or R",
    72: "infinite or NaN options, 10**400, lone surrogates → R before training",
    73: "a teacher that diverges → S, one line",
    74: "a rule that stops before the first epoch → no crash, resumes",
    75: "test.json is damaged → R",
    76: "ten failures in a row, cause removed → resumes",
    77: ".npz with LZMA, arrays of another size than they say → R",
    78: "--config or a file that is endless or a pipe → R",
    79: "weights/ or packed/ is a link → R",
    80: "build() edited between two resumes → R",
}

CANNOT_APPLY: Mapping[int, str] = {}
"""Why a number has no test."""
