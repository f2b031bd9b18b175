// The checker's settings, and how a finding is told.
#pragma once

#include <string>
#include <vector>

#include "../base.h"

namespace softcuda {

struct Warp;
struct Inst;

enum class CheckMode : u8 { off, fail, report };

// A call that SOFTCUDA_FAIL makes fail.
struct PlantedFailure {
    std::string function;  // cuStreamBeginCapture_v2, for example
    int code = 0;
    u64 call = 0;  // which one, from 1; 0 = all
};

// From the environment, read once: SOFTCUDA_CHECK (0, 1 = default, report), SOFTCUDA_SEED (default 1), SOFTCUDA_THREADS,
// SOFTCUDA_COUNT (a file that the counters go to as JSON at exit; counting is off without it), SOFTCUDA_ARCH (90 = default, 80, 100),
// SOFTCUDA_MEMORY (for example 64M or 2G; by default 80 GiB or half of the host's, the smaller), SOFTCUDA_VERSION (13000 = default),
// SOFTCUDA_GRAPH (the device memory that an executable graph holds, like SOFTCUDA_MEMORY; by default none), SOFTCUDA_FAIL (calls that
// fail: see `planted`).
struct Settings {
    CheckMode check = CheckMode::fail;
    u64 seed = 1;
    u32 threads = 1;
    std::string countFile;
    u32 arch = 90;
    u64 memory = 0;
    u64 graphBytes = 0;
    int version = 13000;
    std::vector<PlantedFailure> failures;
    bool checked() const { return check != CheckMode::off; }
    bool counted() const { return !countFile.empty(); }
};
const Settings& settings();

// The code with which this call of a function is to fail; 0 where it is not. SOFTCUDA_FAIL lists functions with codes, and with the number
// of the call where only one fails: cuStreamBeginCapture_v2=801,cuMemFree_v2=719@2.
int planted(const char* function);

enum class Finding : u8 {
    outOfBounds,    // CUDA_ERROR_ILLEGAL_ADDRESS
    misaligned,     // CUDA_ERROR_MISALIGNED_ADDRESS
    uninitialized,  // CUDA_ERROR_LAUNCH_FAILED, as all below
    sharedRace,
    divergentBarrier,
    missingWait,    // cp.async data used before its wait
    badCollective,  // a lane named in the mask of a *.sync instruction is not there
};

// Tells a finding of the current instruction in `lane`: prints one line on stderr with kernel, PTX line, CUDA source line, block, thread
// and `what` (the address and allocation among it). In mode fail it throws FaultException with the finding's error code; in mode report
// it returns, and prints once per site and kind; the caller then skips an access that cannot be made.
void tell(Finding finding, const Warp& warp, const Inst* inst, u32 lane, const std::string& what);

// A fault that is no finding of the checker (trap, assert, ...): prints one line and throws FaultException with kernel, lines, block and
// thread named.
[[noreturn]] void fault(int code, const Warp& warp, const Inst* inst, u32 lane, const std::string& what);

// Text for an address: "0x100000002000, 4 bytes past the end of allocation 3 (cuMemAlloc, 8192 bytes at 0x100000000000)".
std::string describeAddress(u64 address, u64 bytes);

}  // namespace softcuda
