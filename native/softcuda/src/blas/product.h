// A product with its operands: what runs on the stream.
#pragma once

#include "gemm.h"
#include "problem.h"

namespace softcuda::blas {

struct Product {
    Problem problem;
    const char* name = "";  // of the function that asked for it
    // Device addresses.
    u64 a = 0, b = 0, c = 0, d = 0, workspace = 0, workspaceBytes = 0;
    // Values, or their device addresses if problem.deviceScalars.
    float alpha = 1, beta = 0;
    u64 alphaAddress = 0, betaAddress = 0;
};

// The checks that need the addresses, then enqueues the product. `needed` is the alignment that each of A, B, C and D must have.
struct Alignments {
    u32 a, b, c, d;
};
cublasStatus_t launch(const Product& product, const Alignments& needed, CUstream stream);

// The work itself, on one or more threads.
CUresult run(const Product& product);

}  // namespace softcuda::blas
