package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The catalog says of the compiled kernels what they are. */
class CudaKernelCatalogTest {
    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @Test
    void theModuleHasExactlyTheKernelsOfTheCatalog() {
        TreeSet<String> names = new TreeSet<>();
        KernelCatalog.all().forEach(kernel -> names.add(kernel.name()));
        assertEquals(KernelCatalog.all().size(), names.size(), "no name twice");
        assertEquals(names, new TreeSet<>(kernels.module().kernelNames()));
    }

    @Test
    void everyKernelTakesWhatTheCatalogSays() {
        for (KernelSignature signature : KernelCatalog.all()) {
            CudaKernel kernel = kernels.kernel(signature);
            int count = signature.parameters().size();
            for (int i = 0; i < count; i++) {
                KernelSignature.Parameter parameter = signature.parameters().get(i);
                assertArrayEquals(
                        new int[] {signature.offset(i), parameter.type().bytes()},
                        kernel.compiledParameter(i),
                        signature.name() + ": offset and size of " + parameter);
            }
            assertNull(kernel.compiledParameter(count), signature.name() + " takes no more than " + count);
        }
    }

    @Test
    void everyKernelRunsInItsGeometry() {
        int optIn = kernels.context().attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN());
        for (KernelSignature signature : KernelCatalog.all()) {
            CudaKernel kernel = kernels.kernel(signature);
            int threads = kernel.attribute(CudaDriver.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK());
            int fixed = kernel.attribute(CudaDriver.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES());
            assertTrue(
                    threads >= signature.maxThreads(), signature.name() + " runs with at most " + threads + " threads");
            assertTrue(
                    fixed + signature.sharedBytes() <= optIn,
                    signature.name() + " needs " + fixed + " + " + signature.sharedBytes()
                            + " bytes of shared memory of " + optIn);
        }
    }

    @Test
    void argumentsAreCheckedBeforeTheLaunch() {
        CudaKernel kernel = kernels.kernel(KernelCatalog.SWIGLU_F32);
        LaunchShape shape = new LaunchShape(1, 1, 256);
        assertThrows(IllegalStateException.class, () -> kernel.launch(shape, CudaKernel.DEFAULT_STREAM), "none given");
        assertThrows(IllegalStateException.class, () -> kernel.i32(1), "a number for a pointer");
        assertThrows(
                IllegalStateException.class,
                () -> kernel.pointer(0).i32(1).pointer(0).i32(1),
                "one too many");
    }

    @Test
    void theDriverRefusesWhatTheKernelIsNotBuiltFor() {
        CudaKernel kernel = kernels.kernel(KernelCatalog.SWIGLU_F32);
        kernel.pointer(0).i32(0).pointer(0);
        LaunchShape tooMany = new LaunchShape(1, 1, 512);
        DeviceException e =
                assertThrows(DeviceException.class, () -> kernel.launch(tooMany, CudaKernel.DEFAULT_STREAM));
        assertTrue(e.getMessage().startsWith("launch of belay_swiglu_f32 in "), e.getMessage());
        assertTrue(e.getMessage().contains("CUDA_ERROR_"), e.getMessage());
    }
}
