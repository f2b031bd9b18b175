/**
 * Files: every output of Belay goes through {@link dev.belay.io.OutputFile}, so that it is whole or not there, and what can be
 * made again is kept in {@link dev.belay.io.CacheFolder}.
 */
package dev.belay.io;
