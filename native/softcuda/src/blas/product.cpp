// A product on its stream: its operands are looked up and checked when it runs, then the tiles of D are shared among threads.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <string>
#include <thread>

#include "../hooks.h"
#include "product.h"

namespace softcuda::blas {
namespace {

// Below this many multiplications a second thread costs more than it brings.
constexpr u64 kWorthThreads = 1 << 21;
constexpr u64 kMaxRows = 192, kMaxColumns = 384;

// One matrix product of the batch, in this process's memory.
struct Item {
    void *a = nullptr, *b = nullptr, *c = nullptr, *d = nullptr, *bias = nullptr;
};

// alpha and beta at the time of the run.
struct Scalars {
    float alpha, beta;
};

struct Failure {
    CUresult code;
};
// An access that cannot be made and whose finding is only reported.
struct Skipped {};

void* resolve(const Product& p, const Pieces& pieces, int access, const char* operand) {
    void* host = nullptr;
    std::string what = std::string(p.name) + ": " + operand;
    CUresult code = softcudaResolve(pieces.address, pieces.bytes, pieces.pitch, pieces.count, access, what.c_str(), &host);
    if (code != CUDA_SUCCESS) throw Failure{code};
    if (host == nullptr) throw Skipped();
    return host;
}

Pieces flat(u64 address, u64 bytes) { return {address, bytes, bytes, 1}; }

Scalars scalarsOf(const Product& p) {
    if (!p.problem.deviceScalars) return {p.alpha, p.beta};
    Scalars scalars;
    std::memcpy(&scalars.alpha, resolve(p, flat(p.alphaAddress, sizeof(float)), softcudaRead, "alpha"), sizeof(float));
    std::memcpy(&scalars.beta, resolve(p, flat(p.betaAddress, sizeof(float)), softcudaRead, "beta"), sizeof(float));
    return scalars;
}

// All that is read is looked up before anything is marked as written: C may be D.
std::vector<Item> itemsOf(const Product& p, const Scalars& scalars) {
    const Problem& q = p.problem;
    std::vector<Item> items(q.batch);
    for (u64 i = 0; i < q.batch; i++) {
        if (q.k > 0 && scalars.alpha != 0) {
            items[i].a = resolve(p, piecesOf(q.a, p.a, i), softcudaRead, "A");
            items[i].b = resolve(p, piecesOf(q.b, p.b, i), softcudaRead, "B");
        }
        if (scalars.beta != 0) items[i].c = resolve(p, piecesOf(q.c, p.c, i), softcudaRead, "C");
        u64 size = q.d.elementBytes(), bias = q.bias + i * static_cast<u64>(q.biasBatchStride) * size;
        if (q.biased()) items[i].bias = resolve(p, flat(bias, q.m * size), softcudaRead, "bias");
    }
    for (u64 i = 0; i < q.batch; i++) items[i].d = resolve(p, piecesOf(q.d, p.d, i), softcudaWrite, "D");
    return items;
}

// The tanh form, as cuBLASLt computes it.
float gelu(float x) { return 0.5f * x * (1.0f + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x))); }

// A piece of D from its sums: scaled, C and bias added, activated, rounded once.
void finish(const Problem& q, const Scalars& scalars, const float* sums, u64 count, const void* c, const float* bias, void* d) {
    float values[kMaxColumns], old[kMaxColumns];
    for (u64 i = 0; i < count; i++) values[i] = scalars.alpha * sums[i];
    if (c != nullptr) {
        toFloats(c, q.c.type, count, old);
        for (u64 i = 0; i < count; i++) values[i] += scalars.beta * old[i];
    }
    if (bias != nullptr)
        for (u64 i = 0; i < count; i++) values[i] += bias[i];
    // NaN stays NaN.
    if (q.epilogue & CUBLASLT_EPILOGUE_RELU)
        for (u64 i = 0; i < count; i++) values[i] = values[i] < 0 ? 0 : values[i];
    if (q.epilogue & CUBLASLT_EPILOGUE_GELU)
        for (u64 i = 0; i < count; i++) values[i] = gelu(values[i]);
    fromFloats(values, count, q.d.type, d);
}

Rounding roundingOf(cublasComputeType_t compute) {
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) return Rounding::tf32;
    if (compute == CUBLAS_COMPUTE_32F_FAST_16F) return Rounding::half;
    return compute == CUBLAS_COMPUTE_32F_FAST_16BF ? Rounding::bfloat : Rounding::none;
}

// An operand by its index in D and k; `indexIsRow` if that index counts rows of the stored matrix.
Source sourceOf(const Matrix& matrix, const void* data, bool indexIsRow, Rounding rounding) {
    bool adjacent = indexIsRow == (matrix.order == CUBLASLT_ORDER_COL);
    u64 ld = static_cast<u64>(matrix.ld);
    return {data, matrix.type, adjacent ? 1 : ld, adjacent ? ld : 1, rounding};
}

u64 divideUp(u64 n, u64 by) { return (n + by - 1) / by; }

// The tiles of all products of the batch. Rows are pieces of D, columns the elements of a piece: in column order the rows of x are those of
// op(B) transposed.
class Run {
public:
    Run(const Product& product, const Scalars& scalars, const std::vector<Item>& items)
        : problem_(product.problem), scalars_(scalars), items_(items) {
        const Problem& q = problem_;
        rows_ = q.d.pieceCount();
        columns_ = q.d.pieceLength();
        u64 work = q.m * q.n * q.k * q.batch;
        threads_ = work < kWorthThreads ? 1 : softcudaThreads();
        tileRows_ = std::min(kMaxRows, divideUp(rows_, kTileRows) * kTileRows);
        tileColumns_ = std::min(kMaxColumns, divideUp(columns_, kTileColumns) * kTileColumns);
        while (tiles() < 2 * threads_ && (tileRows_ > kTileRows || tileColumns_ > kTileColumns)) {
            if (tileRows_ > tileColumns_ || tileColumns_ == kTileColumns)
                tileRows_ = divideUp(tileRows_ / 2, kTileRows) * kTileRows;
            else
                tileColumns_ = divideUp(tileColumns_ / 2, kTileColumns) * kTileColumns;
        }
    }

    void all() {
        std::vector<std::thread> others;
        for (u64 i = 1; i < std::min(threads_, tiles()); i++) others.emplace_back([this] { some(); });
        some();
        for (std::thread& other : others) other.join();
    }

private:
    u64 tiles() const { return divideUp(rows_, tileRows_) * divideUp(columns_, tileColumns_) * problem_.batch; }

    void some() {
        TileSums sums;
        for (u64 tile = next_++; tile < tiles(); tile = next_++) one(tile, sums);
    }

    void one(u64 index, TileSums& sums) {
        u64 down = divideUp(rows_, tileRows_), across = divideUp(columns_, tileColumns_);
        const Item& item = items_[index / (down * across)];
        u64 row = index % down * tileRows_, column = index / down % across * tileColumns_;
        Tile tile = {row, std::min(tileRows_, rows_ - row), column, std::min(tileColumns_, columns_ - column)};
        const Problem& q = problem_;
        Rounding rounding = roundingOf(q.compute);
        Source left = sourceOf(q.a, item.a, !q.transA, rounding), right = sourceOf(q.b, item.b, q.transB, rounding);
        bool columnOrder = q.d.order == CUBLASLT_ORDER_COL;
        sums.compute(columnOrder ? right : left, columnOrder ? left : right, item.a == nullptr ? 0 : q.k, tile);
        store(item, tile, sums);
    }

    void store(const Item& item, const Tile& tile, const TileSums& sums) const {
        const Problem& q = problem_;
        u64 size = q.d.elementBytes();
        float bias[kMaxColumns];
        if (item.bias != nullptr) toFloats(static_cast<u8*>(item.bias) + tile.column * size, q.d.type, tile.columns, bias);
        for (u64 i = 0; i < tile.rows; i++) {
            u64 piece = tile.row + i;
            u8* d = static_cast<u8*>(item.d) + (piece * static_cast<u64>(q.d.ld) + tile.column) * size;
            const u8* c = static_cast<u8*>(item.c) + (piece * static_cast<u64>(q.c.ld) + tile.column) * size;
            finish(q, scalars_, sums.row(i), tile.columns, item.c == nullptr ? nullptr : c, item.bias == nullptr ? nullptr : bias, d);
        }
    }

    const Problem& problem_;
    Scalars scalars_;
    const std::vector<Item>& items_;
    u64 rows_, columns_, threads_, tileRows_, tileColumns_;
    std::atomic<u64> next_ = 0;
};

u64 bytesOf(const Matrix& matrix) { return matrix.rows * matrix.cols * matrix.elementBytes(); }

void count(const Product& p, const Scalars& scalars) {
    const Problem& q = p.problem;
    u64 read = bytesOf(q.a) + bytesOf(q.b) + (scalars.beta != 0 ? bytesOf(q.c) : 0) + (q.biased() ? q.m * q.d.elementBytes() : 0);
    softcudaCount(p.name, 2 * q.m * q.n * q.k * q.batch, read * q.batch, bytesOf(q.d) * q.batch);
}

CUresult work(void* data) { return run(*static_cast<Product*>(data)); }
void drop(void* data) { delete static_cast<Product*>(data); }

bool anyOverlap(const Product& p) {
    const Problem& q = p.problem;
    for (u64 i = 0; i < q.batch; i++) {
        Pieces d = piecesOf(q.d, p.d, i);
        if (p.a != 0 && q.k > 0 && overlap(piecesOf(q.a, p.a, i), d)) return true;
        if (p.b != 0 && q.k > 0 && overlap(piecesOf(q.b, p.b, i), d)) return true;
        if (p.c != 0 && p.c != p.d && overlap(piecesOf(q.c, p.c, i), d)) return true;
        if (i > 0 && overlap(piecesOf(q.d, p.d, 0), d)) return true;
    }
    return false;
}

}  // namespace

CUresult run(const Product& p) {
    try {
        Scalars scalars = scalarsOf(p);
        std::vector<Item> items = itemsOf(p, scalars);
        // A real algorithm leaves partial sums in its workspace.
        if (p.workspaceBytes > 0)
            std::memset(resolve(p, flat(p.workspace, p.workspaceBytes), softcudaWrite, "workspace"), 0xff, p.workspaceBytes);
        Run(p, scalars, items).all();
        count(p, scalars);
        return CUDA_SUCCESS;
    } catch (const Failure& failure) {
        return failure.code;
    } catch (const Skipped&) {
        return CUDA_SUCCESS;
    } catch (const std::exception&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

cublasStatus_t launch(const Product& product, const Alignments& needed, CUstream stream) {
    if (product.a % needed.a != 0 || product.b % needed.b != 0 || product.c % needed.c != 0 || product.d % needed.d != 0)
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "A, B, C or D is not aligned as the algorithm needs");
    if (anyOverlap(product)) return refuse(CUBLAS_STATUS_INVALID_VALUE, "D shares memory with A, B, another C or itself");
    Product* copy = new (std::nothrow) Product(product);
    if (copy == nullptr) return CUBLAS_STATUS_ALLOC_FAILED;
    if (softcudaEnqueue(stream, product.name, work, drop, copy) == CUDA_SUCCESS) return CUBLAS_STATUS_SUCCESS;
    delete copy;
    return CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace softcuda::blas
