"""When and on what something was measured: the first line of each page of results."""

import os
import platform
import time


def where():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(": ")[1].strip() for line in file if line.startswith("model name")), "?")
    return f"{time.strftime('%Y-%m-%d')}, Linux {platform.release()}, {os.cpu_count()} × {model}"
