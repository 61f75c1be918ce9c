using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;
using Microsoft.Win32.SafeHandles;
using Strato.Client.Linux;
using Strato.Protocol;
using Strato.Protocol.Snapshots;

namespace Strato.Client.Snapshots;

/// <summary>Reads and verifies a snapshot's files.</summary>
internal static class SnapshotFiles
{
    /// <summary>Faults of the memory that are told one by one.</summary>
    private const int MostFaults = 8;

    /// <summary>Chunks that a thread takes at once.</summary>
    private const int Share = 8;

    /// <summary>The state of a folder; all its checksums are verified. Errors <c>SnapshotNotFound</c>, <c>SnapshotNotReadable</c>, <c>SnapshotDamaged</c>, <c>SnapshotVersion</c>.</summary>
    internal static StateFile ReadState(string folder)
    {
        string path = Path.Combine(folder, StateFile.FileName);
        try
        {
            FileInfo file = new(path);
            if (file.Exists && file.Length > StateFile.MaximumBytes)
            {
                throw Damaged(path, $"The snapshot's state has {file.Length} bytes; none has more than {StateFile.MaximumBytes}.");
            }

            return StateFile.Parse(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StratoException(StratoErrorKind.NotFound, "SnapshotNotFound", $"The snapshot's state '{path}' does not exist.", e) { Where = path };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StratoException(StratoErrorKind.Permission, "SnapshotNotReadable", $"The snapshot's state '{path}' can't be read: {e.Message}", e) { Where = path };
        }
        catch (UserErrorException e)
        {
            throw Damaged(path, e.Message, e);
        }
    }

    /// <summary>What a state tells of itself. Error <c>SnapshotDamaged</c>.</summary>
    internal static SnapshotDescription Describe(StateFile state, string folder)
    {
        try
        {
            return SnapshotDescription.Parse(state);
        }
        catch (UserErrorException e)
        {
            throw Damaged(Path.Combine(folder, StateFile.FileName), e.Message, e);
        }
    }

    /// <summary>Whether the memory is there, whole, and of this state; its contents aren't looked at. Errors as of <see cref="ReadState"/>.</summary>
    internal static void CheckMemoryFile(StateFile state, string folder) => OpenMemory(state, folder, out _).Dispose();

    /// <summary>Verifies the checksums of the memory, by several threads.</summary>
    /// <param name="state">Whose memory it is.</param>
    /// <param name="folder">The snapshot's.</param>
    /// <param name="progress">Told on this thread of bytes that are done, and all.</param>
    /// <param name="token">Ends it.</param>
    /// <returns>What is wrong, one sentence each.</returns>
    internal static List<string> VerifyMemory(StateFile state, string folder, Action<long, long>? progress, CancellationToken token)
    {
        using SafeFileHandle file = OpenMemory(state, folder, out MemoryMap map);
        MemoryCheck check = new(file, map, token);
        int count = Math.Clamp((map.Checksums.Length + Share - 1) / Share, 1, Environment.ProcessorCount);
        Thread[] threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            threads[i] = new Thread(check.Run) { IsBackground = true, Name = "strato-verify" };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            while (!thread.Join(100))
            {
                progress?.Invoke(check.Done, map.Size);
            }
        }

        token.ThrowIfCancellationRequested();
        progress?.Invoke(map.Size, map.Size);
        return check.Faults();
    }

    private static SafeFileHandle OpenMemory(StateFile state, string folder, out MemoryMap map)
    {
        string path = Path.Combine(folder, MemoryMap.FileName);
        SafeFileHandle? file = null;
        try
        {
            map = MemoryMap.Parse(state);
            file = File.OpenHandle(path);
            long length = RandomAccess.GetLength(file);
            if (length != map.Size + MemoryMap.TrailerBytes)
            {
                throw Damaged(path, $"The snapshot's memory '{path}' has {length} bytes, and {map.Size + MemoryMap.TrailerBytes} were saved.");
            }

            byte[] trailer = new byte[MemoryMap.TrailerBytes];
            if (RandomAccess.Read(file, trailer, map.Size) != trailer.Length || MemoryMap.IdOf(trailer) != state.Id)
            {
                throw Damaged(path, $"The snapshot's memory '{path}' isn't that of its state, or its end is damaged.");
            }

            return file;
        }
        catch (Exception e)
        {
            file?.Dispose();
            throw e switch
            {
                FileNotFoundException => new StratoException(StratoErrorKind.NotFound, "SnapshotNotFound", $"The snapshot's memory '{path}' does not exist.", e) { Where = path },
                IOException or UnauthorizedAccessException => new StratoException(StratoErrorKind.Permission, "SnapshotNotReadable", $"The snapshot's memory '{path}' can't be read: {e.Message}", e) { Where = path },
                UserErrorException => Damaged(Path.Combine(folder, StateFile.FileName), e.Message, e),
                _ => e,
            };
        }
    }

    private static StratoException Damaged(string path, string message, Exception? inner = null) =>
        new(StratoErrorKind.InvalidData, inner is UserErrorException user ? user.Id : "SnapshotDamaged", message, inner)
        {
            Where = path,
            RecommendedAction = "Restore another snapshot, or an export of this one by Import-StratoSnapshot.",
        };

    /// <summary>The work that the threads share.</summary>
    private sealed class MemoryCheck(SafeFileHandle file, MemoryMap map, CancellationToken token)
    {
        private readonly List<int> _bad = [];
        private readonly uint _zeros = Checksum.OfZeros(MemoryMap.ChunkBytes);
        private int _next;
        private long _done;
        private string? _failure;

        internal long Done => Interlocked.Read(ref _done);

        internal void Run()
        {
            byte[] buffer = new byte[MemoryMap.ChunkBytes];
            try
            {
                while (!token.IsCancellationRequested)
                {
                    int first = Interlocked.Add(ref _next, Share) - Share;
                    if (first >= map.Checksums.Length)
                    {
                        return;
                    }

                    for (int i = first; i < Math.Min(first + Share, map.Checksums.Length); i++)
                    {
                        int length = (int)Math.Min(MemoryMap.ChunkBytes, map.Size - ((long)i * MemoryMap.ChunkBytes));
                        if (!IsGood(i, buffer.AsSpan(0, length)))
                        {
                            lock (_bad)
                            {
                                _bad.Add(i);
                            }
                        }

                        Interlocked.Add(ref _done, length);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _failure = $"The memory can't be read: {e.Message}";
            }
        }

        internal List<string> Faults()
        {
            List<string> faults = _failure is null ? [] : [_failure];
            _bad.Sort();
            foreach (int chunk in _bad)
            {
                if (faults.Count == MostFaults)
                {
                    faults.Add(string.Create(CultureInfo.InvariantCulture, $"{_bad.Count - MostFaults} more pieces of the memory are damaged."));
                    break;
                }

                faults.Add(string.Create(CultureInfo.InvariantCulture, $"The memory is damaged in chunk {chunk}, the mebibyte at {(long)chunk * MemoryMap.ChunkBytes:#,0} of its file (guest address 0x{map.AddressOf((long)chunk * MemoryMap.ChunkBytes):x}): the checksum is wrong."));
            }

            return faults;
        }

        private bool IsGood(int chunk, Span<byte> buffer)
        {
            long at = (long)chunk * MemoryMap.ChunkBytes;

            // The position of a descriptor that is only read at offsets means nothing, so the threads may share it.
            long data = Libc.lseek((int)file.DangerousGetHandle(), at, Libc.SEEK_DATA);
            if (data >= at + buffer.Length)
            {
                return map.Checksums[chunk] == (buffer.Length == MemoryMap.ChunkBytes ? _zeros : Checksum.OfZeros(buffer.Length));
            }

            for (int filled = 0; filled < buffer.Length;)
            {
                int count = RandomAccess.Read(file, buffer[filled..], at + filled);
                if (count <= 0)
                {
                    return false;
                }

                filled += count;
            }

            return map.Checksums[chunk] == Checksum.Of(buffer);
        }
    }
}
