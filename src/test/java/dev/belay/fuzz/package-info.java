/**
 * Feeds broken and hostile files to everything that reads a stranger's file. {@link dev.belay.fuzz.Readers} has one method for each
 * reader, with what must hold of a file that it accepts; {@link dev.belay.fuzz.FuzzTarget} names them; {@link dev.belay.fuzz.FuzzMain}
 * is what Jazzer calls ({@code tools/fuzz}); {@link dev.belay.fuzz.FuzzCorpusTest} runs the kept files. Only the classes of the product
 * and Jackson are used, so that all but the test compiles against the jar alone.
 */
package dev.belay.fuzz;
