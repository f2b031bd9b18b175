// Runs one launch to its end on the CPU threads of this process.
#pragma once

#include <string>
#include <vector>

#include "program.h"

namespace softcuda {

struct Launch {
    const Kernel* kernel = nullptr;
    u32 grid[3] = {1, 1, 1};
    u32 block[3] = {1, 1, 1};
    u32 dynamicShared = 0;
    u64 serial = 0;              // %gridid
    std::vector<u8> parameters;  // kernel->parameterBytes
};

// How a launch failed; code is the CUresult that the real driver would give (CUDA_ERROR_ILLEGAL_ADDRESS, ...).
struct Fault {
    int code = 0;  // 0: it did not
    std::string message;
};

// Ends a launch from inside a handler. The message is complete: what, kernel, PTX line, source line, block, thread.
class FaultException : public std::runtime_error {
public:
    FaultException(int code, const std::string& message) : std::runtime_error(message), code(code) {}
    const int code;
};

// Executes all blocks; blocks are spread over SOFTCUDA_THREADS CPU threads (default: all cores) in a seeded shuffled order. Geometry and
// parameter sizes have been checked by the caller. Never throws FaultException: returns it.
Fault run(const Launch& launch);

}  // namespace softcuda
