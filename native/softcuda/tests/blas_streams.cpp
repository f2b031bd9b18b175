// Products take their place in a stream: after what was enqueued before, before what comes after, and as nodes of a captured graph.
#include "blas.h"

namespace {

std::mt19937 random_(9);

CUstream stream() {
    CUstream result;
    MUST(cuStreamCreate(&result, CU_STREAM_NON_BLOCKING));
    return result;
}

// New values for A, to be copied on the stream.
Operand other(const Operand& like) {
    Operand result = like;
    result.fill(random_);
    return result;
}

// The copy of A lands before the product reads it; D is copied away after the product wrote it and before it is overwritten.
void testOrder() {
    Case c = makeCase(random_, {120, 80, 200}, CUDA_R_16BF, CUDA_R_16BF);
    Device device(c);
    CUstream s = stream();
    std::vector<Case> rounds;
    std::vector<Operand> results;
    for (int round = 0; round < 5; round++) {
        rounds.push_back(c);
        rounds.back().a = other(c.a);
        results.push_back(c.d);
    }
    for (size_t round = 0; round < rounds.size(); round++) {
        const std::vector<unsigned char>& a = rounds[round].a.bytes;
        MUST(cuMemcpyHtoDAsync(device.a, a.data(), a.size(), s));
        MUST_BLAS(device.multiply(nullptr, 0, 0, s));
        MUST(cuMemcpyDtoHAsync(results[round].bytes.data(), device.d, results[round].bytes.size(), s));
        MUST(cuMemsetD8Async(device.d, 0xff, results[round].bytes.size(), s));
    }
    MUST(cuStreamSynchronize(s));
    for (size_t round = 0; round < rounds.size(); round++) verify(rounds[round], results[round], "in stream order");
    MUST(cuStreamDestroy(s));
}

// A product on one stream waits for an event of another.
void testEvents() {
    Case c = makeCase(random_, {64, 64, 64}, CUDA_R_32F, CUDA_R_32F);
    Device device(c);
    CUstream first = stream(), second = stream();
    CUevent event;
    MUST(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    Case next = c;
    next.a = other(c.a);
    MUST(cuMemcpyHtoDAsync(device.a, next.a.bytes.data(), next.a.bytes.size(), first));
    MUST(cuEventRecord(event, first));
    MUST(cuStreamWaitEvent(second, event, 0));
    MUST_BLAS(device.multiply(nullptr, 0, 0, second));
    MUST(cuStreamSynchronize(second));
    verify(next, device.result(), "after an event");
    MUST(cuEventDestroy(event));
    MUST(cuStreamDestroy(first));
    MUST(cuStreamDestroy(second));
}

// Captured, a product does not run; each launch of the graph runs it on what its operands hold then. Descriptors may be gone.
void testCapture() {
    Case c =
        makeCase(random_, {72, 40, 96}, CUDA_R_16BF, CUDA_R_32F, CUBLASLT_ORDER_ROW, CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW, false, false);
    c.epilogue = CUBLASLT_EPILOGUE_RELU;
    CUgraph graph;
    CUgraphExec executable;
    CUstream s = stream();
    Device device(c);
    {
        // Other descriptors for the same memory, destroyed after the capture.
        Device captured(c);
        CUdeviceptr own[] = {captured.a, captured.b, captured.c, captured.d};
        captured.a = device.a, captured.b = device.b, captured.c = device.c, captured.d = device.d;
        MUST(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
        MUST_BLAS(captured.multiply(nullptr, 0, 0, s));
        MUST(cuStreamEndCapture(s, &graph));
        captured.a = own[0], captured.b = own[1], captured.c = own[2], captured.d = own[3];
    }
    size_t nodes = 0;
    MUST(cuGraphGetNodes(graph, nullptr, &nodes));
    CHECK(nodes == 1, "%zu nodes", nodes);
    CHECK(device.result().bytes == c.d.bytes, "the product ran while it was captured");
    MUST(cuGraphInstantiateWithFlags(&executable, graph, 0));
    MUST(cuGraphDestroy(graph));
    for (int round = 0; round < 3; round++) {
        Case next = c;
        next.a = other(c.a);
        MUST(cuMemcpyHtoDAsync(device.a, next.a.bytes.data(), next.a.bytes.size(), s));
        MUST(cuMemsetD8Async(device.d, 0xff, c.d.bytes.size(), s));
        MUST(cuGraphLaunch(executable, s));
        MUST(cuStreamSynchronize(s));
        verify(next, device.result(), "replayed");
    }
    MUST(cuGraphExecDestroy(executable));
    MUST(cuStreamDestroy(s));
}

// cublas takes its stream from the handle.
void testHandle() {
    Case c = makeCase(random_, {48, 48, 48}, CUDA_R_32F, CUDA_R_32F);
    Device device(c);
    CUstream s = stream();
    CUgraph graph;
    cublasHandle_t handle;
    MUST_BLAS(cublasCreate_v2(&handle));
    MUST_BLAS(cublasSetStream_v2(handle, s));
    MUST(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    MUST_BLAS(cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 48, 48, 48, &c.alpha, static_cast<float*>(pointer(device.a)), 48,
                             static_cast<float*>(pointer(device.b)), 48, &c.beta, static_cast<float*>(pointer(device.d)), 48));
    MUST(cuStreamEndCapture(s, &graph));
    size_t nodes = 0;
    MUST(cuGraphGetNodes(graph, nullptr, &nodes));
    CHECK(nodes == 1, "%zu nodes", nodes);
    MUST(cuGraphDestroy(graph));
    MUST_BLAS(cublasDestroy_v2(handle));
    MUST(cuStreamDestroy(s));
}

}  // namespace

int main() {
    openContext();
    testOrder();
    testEvents();
    testCapture();
    testHandle();
    return report("blas_streams");
}
