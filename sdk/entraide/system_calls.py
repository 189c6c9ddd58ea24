"""The system call filter of an engine's sandbox, as a program of classic BPF.

Input: the processor, and which groups of calls the engine needs. Output: the bytes of the program,
which ``sandbox_launcher`` loads. Landlock closes files; this filter closes what Landlock leaves
open: the network, other processes, the owner of files, keys, shared memory, and the kernel's
administration. A refused call fails with "operation not permitted". Theory: Documentation of the
Linux kernel, userspace-api/seccomp_filter and userspace-api/landlock.
"""

import errno
import struct
from collections.abc import Mapping, Sequence

from msgspec import Struct

_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_BITS, _RETURN = 32, 84, 21, 53, 69, 6
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _PROCESSOR_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
_X32_CALLS = 0x40000000
_REFUSED, _UNKNOWN = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS

_UNIX, _STREAM = 1, 1
_OWN_NETWORK_FAMILIES = (_UNIX, 2, 10, 16)  # and IPv4, IPv6, netlink: the addresses of interfaces
_SOCKET_FLAGS = 0o2004000  # SOCK_CLOEXEC and SOCK_NONBLOCK
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080  # each of the flags CLONE_NEW…
_SHARED_ANONYMOUS = 0x21

PROCESSORS: Mapping[str, tuple[int, int]] = {  # AUDIT_ARCH, and the column below
    "x86_64": (0xC000003E, 0),
    "aarch64": (0xC00000B7, 1),
}
_ABSENT = -1

# Numbers of calls on x86_64 and on aarch64.
_OTHER_PROCESSES: Mapping[str, tuple[int, int]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "perf_event_open": (298, 241),
}  # fmt: skip
_SCHEDULING: Mapping[str, tuple[int, int]] = {  # of any process that it sees
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}  # fmt: skip
_SIGNALS: Mapping[str, tuple[int, int]] = {
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}  # fmt: skip
_ADMINISTRATION: Mapping[str, tuple[int, int]] = {
    "bpf": (321, 280), "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "setns": (308, 268), "unshare": (272, 97), "open_tree": (428, 428),
    "open_tree_attr": (467, 467), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "syslog": (103, 116), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "iopl": (172, _ABSENT), "ioperm": (173, _ABSENT),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
_SHARED_MEMORY: Mapping[str, tuple[int, int]] = {
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190),
    "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185),
}  # fmt: skip
_PRIVATE_FILES: Mapping[str, tuple[int, int]] = {
    "memfd_create": (319, 279), "memfd_secret": (447, 447)
}  # fmt: skip
_FILE_OWNERS: Mapping[str, tuple[int, int]] = {  # Landlock does not know them
    "chmod": (90, _ABSENT), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, _ABSENT), "fchown": (93, 55), "lchown": (94, _ABSENT), "fchownat": (260, 54),
    "utime": (132, _ABSENT), "utimes": (235, _ABSENT), "utimensat": (280, 88),
    "futimesat": (261, _ABSENT), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "setxattrat": (463, 463), "removexattrat": (466, 466),
    "file_setattr": (469, 469), "truncate": (76, 45),
}  # fmt: skip
_NEW_PROCESSES: Mapping[str, tuple[int, int]] = {"fork": (57, _ABSENT), "vfork": (58, _ABSENT)}
_CONNECTIONS: Mapping[str, tuple[int, int]] = {
    "connect": (42, 203), "sendmsg": (46, 211), "sendmmsg": (307, 269)
}  # fmt: skip
_SOCKET, _SOCKET_PAIR, _SEND_TO = (41, 198), (53, 199), (44, 206)
_CLONE, _CLONE_3, _MAP, _SET_LIMIT = (56, 220), (435, 435), (9, 222), (302, 261)


class CallNeeds(Struct, frozen=True, kw_only=True):
    """The groups of system calls that an engine needs beyond computing and reading files.

    Attributes:
        processes: it starts processes, signals them and shares memory with them.
        file_owners: it changes the mode, the times or the length of its scratch files.
        own_network: it opens connections in a network of its own, where nothing else listens, and
            sees its own processes only.
    """

    processes: bool = False
    file_owners: bool = False
    own_network: bool = False


def build_filter(processor: str, needs: CallNeeds) -> bytes:
    """Returns the filter program for a processor of ``PROCESSORS``.

    Args:
        processor: as ``platform.machine`` names it.
        needs: calls that stay allowed.
    """
    audit, column = PROCESSORS[processor]
    program = [
        _step(_LOAD, _PROCESSOR_AT),
        _step(_JUMP_EQUAL, audit, true=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
        _step(_JUMP_GREATER_EQUAL, _X32_CALLS, false=1),
        _step(_RETURN, _UNKNOWN),
    ]
    for group in _refused_groups(needs):
        for numbers in group.values():
            if numbers[column] != _ABSENT:
                program += _on(numbers[column], [_step(_RETURN, _REFUSED)])
    for numbers, checks in _checked_calls(needs):
        program += _on(numbers[column], checks)
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _refused_groups(needs: CallNeeds) -> list[Mapping[str, tuple[int, int]]]:
    groups = [_OTHER_PROCESSES, _ADMINISTRATION, _SHARED_MEMORY]
    if not needs.own_network:
        groups += [_CONNECTIONS, _SCHEDULING]
    if not needs.file_owners:
        groups.append(_FILE_OWNERS)
    if not needs.processes:
        groups += [_SIGNALS, _NEW_PROCESSES, _PRIVATE_FILES]
    return groups


def _checked_calls(needs: CallNeeds) -> list[tuple[tuple[int, int], list[bytes]]]:
    """The calls that depend on their arguments, each with the rest of its program."""
    stream = [
        _load_argument(0), _step(_JUMP_EQUAL, _UNIX, true=1), _step(_RETURN, _REFUSED),
        _load_argument(1), _step(_AND, 0xFFFFFFFF ^ _SOCKET_FLAGS),
        _step(_JUMP_EQUAL, _STREAM, true=1), _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW),
    ]  # fmt: skip
    calls = [(_SET_LIMIT, _refuse_unless_zero(0))]  # of itself only
    if needs.own_network:
        calls.append((_SOCKET, _refuse_other_families()))
    else:
        calls += [
            (_SOCKET, stream),
            (_SOCKET_PAIR, stream),
            (_SEND_TO, _refuse_unless_zero(4)),  # no address: its own connections
        ]
    calls.append((_CLONE_3, [_step(_RETURN, _UNKNOWN)]))  # then libraries call clone
    if needs.processes:
        calls.append((_CLONE, [
            _load_argument(0), _step(_JUMP_BITS, _CLONE_NAMESPACES, false=1),
            _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW),
        ]))  # fmt: skip
    else:
        calls.append((_CLONE, [
            _load_argument(0), _step(_JUMP_BITS, _CLONE_THREAD, true=1),
            _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW),
        ]))  # fmt: skip
        calls.append((_MAP, [  # shared memory does not count as the process's data
            _load_argument(3), _step(_AND, _SHARED_ANONYMOUS),
            _step(_JUMP_EQUAL, _SHARED_ANONYMOUS, false=1),
            _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW),
        ]))  # fmt: skip
    return calls


def _refuse_other_families() -> list[bytes]:
    """A check of the family of a socket."""
    families = list(reversed(_OWN_NETWORK_FAMILIES))
    steps = [
        _step(_JUMP_EQUAL, family, true=left + 1) for left, family in enumerate(families)
    ]  # each jumps over those behind it and the refusal
    return [
        _load_argument(0), *reversed(steps), _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW)
    ]  # fmt: skip


def _refuse_unless_zero(argument: int) -> list[bytes]:
    """A check of a whole 64-bit argument."""
    return [
        _load_argument(argument), _step(_JUMP_EQUAL, 0, true=1), _step(_RETURN, _REFUSED),
        _load_argument(argument, high=True), _step(_JUMP_EQUAL, 0, true=1),
        _step(_RETURN, _REFUSED), _step(_RETURN, _ALLOW),
    ]  # fmt: skip


def _on(number: int, steps: Sequence[bytes]) -> list[bytes]:
    """Steps that only one call takes; the number of the call is loaded before and after."""
    return [_step(_JUMP_EQUAL, number, false=len(steps)), *steps]


def _load_argument(index: int, *, high: bool = False) -> bytes:
    return _step(_LOAD, _ARGUMENTS_AT + 8 * index + 4 * high)  # little endian on both processors


def _step(code: int, value: int, *, true: int = 0, false: int = 0) -> bytes:
    """One instruction; ``true`` and ``false`` are the steps that a jump leaves out."""
    return struct.pack("<HBBI", code, true, false, value)
