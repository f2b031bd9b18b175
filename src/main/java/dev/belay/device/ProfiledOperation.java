package dev.belay.device;

/**
 * One operation of a profile.
 *
 * @param name of the operation; of a product with the part of the model that its weights are
 * @param weights name of the weight matrix, or null
 * @param layer number of the layer that it belongs to; -1 = none
 * @param rows tokens, or rows of another kind, that it computed
 * @param start in milliseconds
 * @param milliseconds that it took
 */
record ProfiledOperation(
        String name, String weights, int layer, int rows, OperationCost cost, double start, double milliseconds) {}
