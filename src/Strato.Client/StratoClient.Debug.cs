using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Client.Qmp;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const string Dump = "Dump";

    // What Ctrl-C waits for at most, for the engine to leave off.
    private static readonly TimeSpan CancelLimit = TimeSpan.FromMilliseconds(150);

    /// <summary>The registers of all virtual CPUs of a running VM, which stand still for that moment. Errors: <c>VmNotRunning</c>, <c>QmpTimeout</c>.</summary>
    public IReadOnlyList<CpuRegisters> GetRegisters(string id, CancellationToken token = default) => RegisterAnswer.Read(InvokeQmp(id, "x-query-registers", token: token));

    /// <summary>Sends a non-maskable interrupt to a running VM's guest. Errors: <c>VmNotRunning</c>, <c>QmpGenericError</c> where no virtual CPU takes one.</summary>
    public void InjectNmi(string id, CancellationToken token = default) => InvokeQmp(id, "inject-nmi", token: token);

    /// <summary>
    /// Writes a running VM's memory and registers into an ELF core file; the VM stands still meanwhile. One that fails or is cancelled leaves nothing.
    /// Errors: <c>VmNotRunning</c>, <c>FileExists</c>, <c>DumpNotWritable</c>, <c>DumpFailed</c>, <c>VmEnded</c>.
    /// </summary>
    /// <param name="id">The VM.</param>
    /// <param name="path">Absolute.</param>
    /// <param name="overwrite">Whether it may take the place of a file that is there.</param>
    /// <param name="progress">Told of bytes of memory that are done, and all.</param>
    /// <param name="token">Ends it; the VM goes on.</param>
    public void DumpMemory(string id, string path, bool overwrite, Action<long, long> progress, CancellationToken token = default)
    {
        string name = Store.NameOf(id);
        if (!overwrite)
        {
            NewFile.RefuseExisting(path, Dump);
        }
        else if (Directory.Exists(path))
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "DumpNotWritable", $"The dump '{path}' can't be written: it is a folder.") { Where = path };
        }

        using QmpConnection qmp = OpenQmp(id, token);
        using NewFile file = new(path, 0x180, Dump);
        qmp.Execute("getfd", Arguments("""{"fdname":"dump"}"""), file.Descriptor, null, token);
        bool begun = false;
        try
        {
            // One that is refused, since another command's is under way, isn't this one's to end; one that this command doesn't hear of any more ends with the connection.
            qmp.Execute("dump-guest-memory", Arguments("""{"paging":false,"protocol":"fd:dump","detach":true}"""), token: token);
            begun = true;

            // What was told before is another command's end, which came while this one began.
            qmp.ForgetEvents();
            Await(qmp, name, file, path, progress, token);
            begun = false;
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            begun = false;
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{name}' ended while its memory was written.", e) { VmName = name };
        }
        catch (StratoException e) when (e.Id == "QmpGenericError")
        {
            begun = false;
            throw Failed(name, path, e.Message, e);
        }
        finally
        {
            if (begun)
            {
                Cancel(qmp);
            }
        }

        // A large file takes its time to reach the disk. Ctrl-C ends that wait too, and what waits in the kernel then is a piece alone: a process ends when all its threads have.
        Task<int> sync = Task.Run(
            () =>
            {
                PacedSync.Whole(file.Fd, Libc.lseek(file.Fd, 0, Libc.SEEK_END), token);
                return Libc.fsync(file.Fd) == 0 ? 0 : Errno.Last;
            },
            CancellationToken.None);
        sync.Wait(token);
        if (sync.Result != 0)
        {
            throw NewFile.Failed(path, sync.Result, Dump);
        }

        file.Keep(overwrite);
    }

    private static void Await(QmpConnection qmp, string name, NewFile file, string path, Action<long, long> progress, CancellationToken token)
    {
        long last = 0;
        while (true)
        {
            if (qmp.ReadEvent(TellInterval, token) is not { } told)
            {
                JsonElement status = qmp.Execute("query-dump", token: token);
                long completed = status.GetProperty("completed").GetInt64();

                // Little is to be left for the end. It begins to be written, and isn't waited for.
                _ = Libc.sync_file_range(file.Fd, last, completed - last, Libc.SYNC_FILE_RANGE_WRITE);
                last = completed;
                progress(completed, status.GetProperty("total").GetInt64());
            }
            else if (told.Name == "DUMP_COMPLETED")
            {
                if (QmpCommand.Text(told.Data, "error") is { } error)
                {
                    throw Failed(name, path, error, null);
                }

                return;
            }
        }
    }

    /// <summary>Tells the engine to leave off; it has little time for that, for whoever asks has none.</summary>
    private static void Cancel(QmpConnection qmp)
    {
        try
        {
            qmp.Execute("x-cancel-dump", timeout: CancelLimit);
        }
        catch (StratoException)
        {
            // It is over, or the engine gets to it later.
        }
    }

    private static StratoException Failed(string name, string path, string error, Exception? inner) =>
        new(StratoErrorKind.Failed, "DumpFailed", $"The memory of VM '{name}' could not be written to '{path}': {error}.", inner) { VmName = name, Where = path };

    private static JsonElement Arguments(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
