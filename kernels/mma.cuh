// The tensor core's instructions for bf16 and the asynchronous copies that feed them, as inline PTX (compute capability 8.0 on).
// Fragments are as the PTX manual draws them; the comments say which part of a matrix lane l holds.
#pragma once

#include <stdint.h>

__device__ __forceinline__ uint32_t sharedAddress(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// Copies the first `bytes` of 16 bytes to shared memory behind the back of the thread and zeroes the rest (which is not read).
__device__ __forceinline__ void copyAsync16(uint32_t target, const void* source, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(__cvta_generic_to_global(source)), "r"(bytes)
                 : "memory");
}

// Copies 16 bytes, or zeroes them where `fill` is false (nothing is read then).
__device__ __forceinline__ void copyAsync16(uint32_t target, const void* source, bool fill) { copyAsync16(target, source, fill ? 16 : 0); }

__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for all copies that this thread has committed.
__device__ __forceinline__ void awaitCopies() { asm volatile("cp.async.wait_group 0;" ::: "memory"); }

// Waits for all but the last GROUPS groups of copies that this thread has committed.
template <int GROUPS>
__device__ __forceinline__ void awaitCopiesBut() {
    asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS) : "memory");
}

// Four 8x8 matrices of 16-bit numbers; lane l gives the address of row l % 8 of matrix l / 8 and gets of matrix i in r[i] the numbers
// 2 (l % 4) and the next of row l / 4.
__device__ __forceinline__ void loadMatrices(uint32_t address, uint32_t (&r)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// The same of the transposed matrices: rows 2 (l % 4) and the next of column l / 4.
__device__ __forceinline__ void loadMatricesTransposed(uint32_t address, uint32_t (&r)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// c[16, 8] += a[16, 16] * b[16, 8], c in float32. Lane l holds of c the columns 2 (l % 4) and the next of row l / 4 in c[0], c[1], of
// row l / 4 + 8 in c[2], c[3]; of a likewise columns 0-7 in a[0] (row l / 4), a[1] (row + 8) and columns 8-15 in a[2], a[3]; of b the
// rows 2 (l % 4) and the next (b0), and 8 further (b1), of column l / 4.
__device__ __forceinline__ void multiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
