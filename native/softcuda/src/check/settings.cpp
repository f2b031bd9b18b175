// The settings, from the environment.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "checker.h"

namespace softcuda {
namespace {

const char* variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == 0 ? nullptr : value;
}

void ignored(const char* name, const char* value, const char* wanted) {
    std::fprintf(stderr, "softcuda: %s=%s is ignored: expected %s\n", name, value, wanted);
}

u64 number(const char* name, u64 otherwise, u64 least) {
    const char* value = variable(name);
    if (value == nullptr) return otherwise;
    char* end = nullptr;
    u64 result = std::strtoull(value, &end, 10);
    if (*value >= '0' && *value <= '9' && *end == 0 && result >= least) return result;
    ignored(name, value, "a number");
    return otherwise;
}

CheckMode checkMode() {
    const char* value = variable("SOFTCUDA_CHECK");
    std::string mode = value == nullptr ? "1" : value;
    if (mode == "0") return CheckMode::off;
    if (mode == "report") return CheckMode::report;
    if (mode != "1") ignored("SOFTCUDA_CHECK", value, "0, 1 or report");
    return CheckMode::fail;
}

u32 processors() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<u32>(CPU_COUNT(&set)) : 1;
}

u64 memoryBytes() {
    u64 host = static_cast<u64>(sysconf(_SC_PHYS_PAGES)) * static_cast<u64>(sysconf(_SC_PAGESIZE));
    u64 otherwise = std::min<u64>(80ull << 30, host / 2);
    const char* value = variable("SOFTCUDA_MEMORY");
    if (value == nullptr) return otherwise;
    char* end = nullptr;
    u64 result = std::strtoull(value, &end, 10);
    std::string unit = end;
    u32 shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : 0;
    if (*value >= '0' && *value <= '9' && result > 0 && (shift > 0 || unit.empty()) && result <= (1ull << 44) >> shift)
        return result << shift;
    ignored("SOFTCUDA_MEMORY", value, "bytes, or a number with K, M or G");
    return otherwise;
}

Settings read() {
    Settings s;
    s.check = checkMode();
    s.seed = number("SOFTCUDA_SEED", s.seed, 0);
    s.threads = static_cast<u32>(std::min<u64>(number("SOFTCUDA_THREADS", processors(), 1), 1024));
    if (const char* file = variable("SOFTCUDA_COUNT")) s.countFile = file;
    s.arch = static_cast<u32>(number("SOFTCUDA_ARCH", s.arch, 1));
    if (s.arch != 80 && s.arch != 90 && s.arch != 100) {
        ignored("SOFTCUDA_ARCH", variable("SOFTCUDA_ARCH"), "80, 90 or 100");
        s.arch = 90;
    }
    s.memory = memoryBytes();
    return s;
}

}  // namespace

const Settings& settings() {
    static const Settings read_ = read();
    return read_;
}

}  // namespace softcuda
