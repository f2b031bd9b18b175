// What a stream does: kernels, copies, fills, host functions, releases and whole graphs.
#pragma once

#include <cuda.h>

#include <memory>
#include <variant>
#include <vector>

#include "../exec/engine.h"

namespace softcuda {

struct Module;
struct GraphNode;

// Nothing: where an event is recorded or waited for.
struct EmptyWork {};

struct KernelWork {
    std::shared_ptr<Module> module;
    std::shared_ptr<const Launch> launch;
};

// One end of a copy. A device place is a device address or one in pinned host memory, and is looked up when the copy runs.
struct Place {
    enum class Kind : u8 { device, pinned, pageable } kind = Kind::device;
    u64 address = 0;
    u64 pitch = 0;
};

struct CopyWork {
    Place destination, source;
    u64 width = 0, height = 1;
    std::shared_ptr<std::vector<u8>> staged;  // the rows of the source without gaps, when they were taken at the call
    u64 span(const Place& place) const { return (height - 1) * place.pitch + width; }
};

struct FillWork {
    Place destination;
    u32 value = 0;
    u32 bytes = 1;  // of the value: 1 or 4
    u64 count = 0;
};

struct HostWork {
    CUhostFn function = nullptr;
    void* data = nullptr;
};

// What another library enqueued; it is dropped with the last node that could run it.
struct LibraryCall {
    LibraryCall(const char* name_, CUresult (*work_)(void*), void (*drop_)(void*), void* data_)
        : name(name_), work(work_), drop(drop_), data(data_) {}
    LibraryCall(const LibraryCall&) = delete;
    ~LibraryCall() {
        if (drop != nullptr) drop(data);
    }
    std::string name;
    CUresult (*work)(void*);
    void (*drop)(void*);
    void* data;
};
struct LibraryWork {
    std::shared_ptr<LibraryCall> call;
};

struct ReleaseWork {
    u64 address = 0;
};

struct GraphWork {
    std::shared_ptr<const std::vector<GraphNode>> nodes;
    u64 serial = 0;
};

using Work = std::variant<EmptyWork, KernelWork, CopyWork, FillWork, HostWork, LibraryWork, ReleaseWork, GraphWork>;

// Does it to the end.
Fault perform(const Work& work);
// Releases are made even when the context has failed.
inline bool outlivesFailure(const Work& work) { return std::holds_alternative<ReleaseWork>(work); }

// True on a thread that runs a function of cuLaunchHostFunc: it may not call the driver.
bool insideHostFunction();

}  // namespace softcuda
