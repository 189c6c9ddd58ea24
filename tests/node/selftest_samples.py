"""What systems print about machines, personal data included, and reports made of it."""

import json
import plistlib

from entraide_node.hardware_detection import build_hardware
from entraide_node.hardware_text import HardwareText, NvidiaCard
from entraide_node.selftest.excerpts import HEAT, IOREG, SLEEP, SLEEP_SETTINGS, keep_text
from entraide_node.selftest.report import (
    FORMAT,
    BatteryFacts,
    EngineTrial,
    IdleTrial,
    MeterTrial,
    SandboxFacts,
    SelftestReport,
    ServiceFacts,
    SleepFacts,
)

HOST, ACCOUNT, HOME = "ada-laptop", "lovelace", "/home/lovelace"
SERIAL, MAC, UUID = "C02XK1ZZJG5J", "a4:83:e7:12:34:56", "5B1F2E1C-0A0B-4C4D-8E8F-123456789ABC"
ADDRESS = "192.168.1.40"
PERSONAL = (HOST, ACCOUNT, HOME, SERIAL, MAC, UUID, ADDRESS)
OWN_WORDS = frozenset({HOST, ACCOUNT})

CPUINFO = f"""processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 142
model name\t: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
microcode\t: 0xf6
flags\t\t: fpu sse2 avx avx2 fma f16c {HOST.replace("-", "_")}
Serial\t\t: {SERIAL}
hostname\t: {HOST}

processor\t: 1
model name\t: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
"""
SUPPLY = "/sys/class/power_supply"
LINUX = HardwareText(
    system="linux",
    machine="x86_64",
    cores=8,
    memory_bytes=16 * 1024**3,
    files={
        "/proc/cpuinfo": CPUINFO,
        "/proc/sys/kernel/hostname": f"{HOST}\n",
        "/etc/os-release": f'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="{HOST}"\nID={HOME}\n',
        "/sys/class/dmi/id/product_serial": SERIAL,
        "/sys/class/dmi/id/product_uuid": UUID,
        "/sys/class/dmi/id/sys_vendor": "LENOVO\n",
        "/sys/class/dmi/id/product_name": f"ThinkPad of {ACCOUNT}\n",
        "/sys/class/drm/card0/device/vendor": "0x1002\n",
        "/sys/class/drm/card0/device/device": "0x744c\n",
        "/sys/class/drm/card0/device/mem_info_vram_total": "25753026560\n",
        "/sys/class/drm/card0/device/mem_info_gtt_total": "34359738368\n",
        "/sys/class/drm/card0/device/drm/renderD128": "",
        "/sys/class/kfd/kfd/topology/nodes/1/properties": f"simd_count 96\nunique_id {SERIAL}\n",
        f"{SUPPLY}/BAT0/type": "Battery\n",
        f"{SUPPLY}/BAT0/capacity": "81\n",
        f"{SUPPLY}/BAT0/serial_number": SERIAL,
        f"{SUPPLY}/hid-{MAC}-battery/type": "Battery\n",
        f"{SUPPLY}/hid-{MAC}-battery/scope": "Device\n",
        "/sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
        "/sys/class/thermal/thermal_zone0/temp": "41000\n",
        "/sys/class/powercap/intel-rapl:0/name": "package-0\n",
        "/sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
        "/sys/class/net/wlan0/address": f"{MAC}\n",
        "/sys/power/mem_sleep": "s2idle [deep]\n",
        f"{HOME}/.bashrc": "",
    },
    commands={"hostname": HOST},
    cards=(NvidiaCard(f"NVIDIA of {ACCOUNT}", 24 * 1024**3),),
)
_PROFILE = {
    "SPHardwareDataType": [
        {
            "machine_name": "Mac mini", "machine_model": "Mac16,10", "chip_type": "Apple M4 Pro",
            "number_processors": "proc 14:10:4", "serial_number": SERIAL, "platform_UUID": UUID,
            "provisioning_UDID": UUID, "local_host_name": HOST,
        }
    ],
    "SPDisplaysDataType": [
        {
            "sppci_model": "Apple M4 Pro", "sppci_cores": "20", "_name": f"Screen of {ACCOUNT}",
            "spdisplays_vendor": "sppci_vendor_Apple",
            "spdisplays_ndrvs": [{"_spdisplays_display-serial-number": SERIAL}],
        }
    ],
    "SPNetworkDataType": [{"ip_address": [ADDRESS], "mac": MAC}],
}  # fmt: skip
_BATTERY = [
    {
        "Serial": SERIAL, "InstantAmperage": 2**64 - 900, "Voltage": 12_400,
        "ExternalConnected": False, "DeviceName": HOST,
        "PowerTelemetryData": {"SystemLoad": 11_160, "Path": HOME},
    }
]  # fmt: skip
APPLE = HardwareText(
    system="darwin",
    machine="arm64",
    processor=f"arm of {HOST}",
    cores=14,
    memory_bytes=24 * 1024**3,
    battery=True,
    commands={
        "system_profiler": json.dumps(_PROFILE),
        "machdep.cpu.brand_string": "Apple M4 Pro\n",
        IOREG: plistlib.dumps(_BATTERY).decode(),
        HEAT: f"Note: No thermal warning level has been recorded\nCPU_Speed_Limit = 100\n{HOME}\n",
        SLEEP: f"Capabilities for AC Power:\n womp\n {HOST}\n sleep\n",
        SLEEP_SETTINGS: f" womp 1\n sleep 1 (sleep prevented by {ACCOUNT})\n standby 1\n",
    },
)


def make_report(text: HardwareText) -> SelftestReport:
    """Returns a report of a machine, with a value in each field."""
    kept = keep_text(text, OWN_WORDS)
    return SelftestReport(
        format=FORMAT, made_on="2026-12-02", took_s=140.0, entraide="0.1.0.dev3", python="3.13.1",
        kernel="6.12.48", text=kept, hardware=build_hardware(kept),
        idle=IdleTrial(took_s=60.0, load_percent=2.5, temperature_c=41.0),
        meters=(MeterTrial(kind="rapl", parts=1, changes=2_900, update_ms=1.0, read_ms=0.02,
                           idle_w=3.5, gauge_w=3.4),
                MeterTrial(kind="nvml", fault="gone")),
        engines=(EngineTrial(engine="llama.cpp", version="2026.10.1",
                             model="smollm2-135m-instruct", start_s=1.2, prefill_tokens_per_s=900.0,
                             decode_tokens_per_s_1=100.0, decode_tokens_per_s_4=180.0, busy_w=25.0,
                             others_percent=12.5, temperature_c=60.0),
                 EngineTrial(engine="vllm", version="", model="random-135m",
                             problem="engine_no_memory")),
        battery=BatteryFacts(charge_percent=81.0, plugged=True), throttled=False,
        service=ServiceFacts(manager="systemd", needs_linger=True),
        sleep=SleepFacts(lock="logind", can_sleep="yes", wake_timer=True, wake_network=1),
        sandbox=SandboxFacts(problem="", landlock=7, seccomp=True),
    )  # fmt: skip
