// The settings, from the environment.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>

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

u64 bytes(const char* name, u64 otherwise) {
    const char* value = variable(name);
    if (value == nullptr) return otherwise;
    char* end = nullptr;
    u64 result = std::strtoull(value, &end, 10);
    std::string unit = end;
    u32 shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : 0;
    if (*value >= '0' && *value <= '9' && result > 0 && (shift > 0 || unit.empty()) && result <= (1ull << 44) >> shift)
        return result << shift;
    ignored(name, value, "bytes, or a number with K, M or G");
    return otherwise;
}

u64 memoryBytes() {
    u64 host = static_cast<u64>(sysconf(_SC_PHYS_PAGES)) * static_cast<u64>(sysconf(_SC_PAGESIZE));
    return bytes("SOFTCUDA_MEMORY", std::min<u64>(80ull << 30, host / 2));
}

std::vector<PlantedFailure> failures() {
    std::vector<PlantedFailure> result;
    const char* value = variable("SOFTCUDA_FAIL");
    std::istringstream list(value == nullptr ? "" : value);
    for (std::string entry; std::getline(list, entry, ',');) {
        char function[64];
        PlantedFailure failure;
        unsigned long long call = 0;
        int end = 0;
        bool all = std::sscanf(entry.c_str(), "%63[A-Za-z0-9_]=%d%n", function, &failure.code, &end) == 2 && entry.c_str()[end] == 0;
        if (!all && (std::sscanf(entry.c_str(), "%63[A-Za-z0-9_]=%d@%llu%n", function, &failure.code, &call, &end) != 3 ||
                     entry.c_str()[end] != 0 || call == 0)) {
            ignored("SOFTCUDA_FAIL", entry.c_str(), "FUNCTION=CODE or FUNCTION=CODE@CALL");
            continue;
        }
        failure.function = function;
        failure.call = call;
        result.push_back(failure);
    }
    return result;
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
    s.graphBytes = bytes("SOFTCUDA_GRAPH", 0);
    s.version = static_cast<int>(number("SOFTCUDA_VERSION", static_cast<u64>(s.version), 1));
    s.failures = failures();
    return s;
}

}  // namespace

const Settings& settings() {
    static const Settings read_ = read();
    return read_;
}

int planted(const char* function) {
    static std::mutex mutex;
    static std::map<std::string, u64> calls;
    if (settings().failures.empty()) return 0;
    std::lock_guard lock(mutex);
    u64 call = ++calls[function];
    for (const PlantedFailure& failure : settings().failures)
        if (failure.function == function && (failure.call == 0 || failure.call == call)) return failure.code;
    return 0;
}

}  // namespace softcuda
