/** Files that are whole or not there: every output of Belay goes through {@link dev.belay.io.OutputFile}. */
package dev.belay.io;
