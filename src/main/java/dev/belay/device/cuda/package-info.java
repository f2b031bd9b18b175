/**
 * The device on one GPU, {@link dev.belay.device.cuda.CudaDevice}, and the CUDA driver from Java under it: finding and loading libcuda,
 * owners of what it gives (context, module, memory, stream, event, graph), and launches of the kernels in {@code kernels/}.
 * {@link dev.belay.device.cuda.KernelCatalog} holds every kernel's name, parameters and geometry; a test proves that the compiled module
 * has exactly those.
 *
 * <p>Whether there is a device is a value with a reason, {@link dev.belay.device.cuda.CudaAvailability}, never an exception. A
 * driver's error becomes a {@link dev.belay.device.DeviceException} with the operation, its sizes, the code and what to do. Launches
 * run late, so what went wrong in a kernel shows in a later call. Nothing is allocated or boxed to launch.
 *
 * <p>All work goes through one {@link dev.belay.device.cuda.CudaQueue}. It can hold commands back; a list of them that it has seen
 * before, with the same arguments, is started as a graph.
 *
 * <p>The same classes run on the software device of {@code native/softcuda} with {@code -Dbelay.cuda.library=FILE}.
 */
package dev.belay.device.cuda;
