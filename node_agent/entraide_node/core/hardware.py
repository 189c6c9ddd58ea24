"""Hardware: the vocabulary of a machine's facts, and the engines that suit a machine.

Input: facts that ``hardware_detection`` reads. Output: the accelerator, the memory of each card,
and the suitable engines, best first.
"""

from msgspec import Struct

GPU_KINDS = ("nvidia", "amd", "apple")
VLLM_CARD_BYTES_MIN = 6 * 1024**3  # with less, no useful model fits beside vLLM's own memory


class Gpu(Struct, frozen=True):
    """A graphics processor.

    Attributes:
        kind: one of ``GPU_KINDS``.
        name: name that its driver reports; "" if unknown.
        memory_bytes: its own memory, or all of the machine's if memory is unified; 0 if
            unknown.
        cores: compute cores by its maker's count; 0 if unknown.
    """

    kind: str
    name: str
    memory_bytes: int
    cores: int = 0


class Hardware(Struct, frozen=True, kw_only=True):
    """A machine.

    Attributes:
        os: ``linux``, ``darwin`` or ``windows``.
        arch: ``x86_64`` or ``arm64``, else the system's name.
        cpu: the processor's name; "" if unknown.
        cores: processors that this process may use.
        cpu_features: vector instructions that matter to an engine (``avx2``, ``neon``), sorted.
        memory_bytes: of the machine, or the limit of its container.
        unified_memory: whether processor and graphics share that memory.
        gpus: its graphics processors, in the order that their drivers list them.
        battery: whether it has one.
        thermals: whether its temperature can be read.
        device: identifier in the hardware catalogue; ``default-KIND`` if not recognised.
    """

    os: str
    arch: str
    cpu: str
    cores: int
    memory_bytes: int
    unified_memory: bool = False
    gpus: tuple[Gpu, ...] = ()
    battery: bool = False
    cpu_features: tuple[str, ...] = ()
    thermals: bool = False
    device: str = ""

    @property
    def accelerator(self) -> str:
        """Kind of the first graphics processor, or ``cpu`` without one."""
        return self.gpus[0].kind if self.gpus else "cpu"

    @property
    def vram_bytes(self) -> tuple[int, ...]:
        """Memory of each graphics processor that has its own; empty if memory is unified."""
        return () if self.unified_memory else tuple(gpu.memory_bytes for gpu in self.gpus)


def suitable_engines(hardware: Hardware) -> tuple[str, ...]:
    """Returns the engines that suit a machine, best first; llama.cpp suits any machine.

    MLX supports Apple's chips; vLLM supports NVIDIA's and AMD's cards under Linux.
    """
    first = hardware.gpus[0] if hardware.gpus else None
    if first is None:
        return ("llama.cpp",)
    if first.kind == "apple":
        return ("mlx-lm", "llama.cpp")
    if hardware.os == "linux" and first.memory_bytes >= VLLM_CARD_BYTES_MIN:
        return ("vllm", "llama.cpp")
    return ("llama.cpp",)
