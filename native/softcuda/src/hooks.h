// What libsoftcuda.so offers to the libraries built on it: work in stream order, device memory with its checks, counters.
#pragma once

#include <cuda.h>

#define SOFTCUDA_HOOK extern "C" __attribute__((visibility("default")))

// Enqueues host work on a stream as a node like a kernel's, which stream capture takes into the graph. `work` may run many times (replays
// of a graph); `drop` runs once, when nothing can run it any more. Where the call fails, the caller keeps `data` and `drop` does not run.
// What `work` returns other than CUDA_SUCCESS fails the stream as a kernel's fault does.
SOFTCUDA_HOOK CUresult softcudaEnqueue(CUstream stream, const char* name, CUresult (*work)(void*), void (*drop)(void*), void* data);

enum SoftcudaAccess { softcudaRead = 1, softcudaWrite = 2 };

// Where `count` pieces of `bytes` bytes, `pitch` bytes apart, lie in this process. They must lie in one allocation, from the first to the
// last. When checked, every byte of the pieces that is read must have been written, and those that are written are marked so. To be called
// when the work runs. A finding is told with `what` as its place; then this returns the finding's code or, with SOFTCUDA_CHECK=report,
// CUDA_SUCCESS, with *host null where the access cannot be made.
SOFTCUDA_HOOK CUresult softcudaResolve(unsigned long long address, unsigned long long bytes, unsigned long long pitch,
                                       unsigned long long count, int access, const char* what, void** host);

// Counts a launch under a name, if anything is counted.
SOFTCUDA_HOOK void softcudaCount(const char* name, unsigned long long mmaFlops, unsigned long long bytesRead,
                                 unsigned long long bytesWritten);

// CPU threads that work may use.
SOFTCUDA_HOOK unsigned softcudaThreads(void);
