using System;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Strato.Client.Linux;

namespace Strato.Client.Guest;

/// <summary>Copies files to and from a guest: guest-file-open, -read, -write, -close; whole or not at all.</summary>
/// <remarks>
/// A file is written beside its place under another name, and renamed when it is whole. The agent can't rename: that is done by
/// guest-exec, which makes the file too: the agent gives a file that it makes the mode 0666 whatever its umask (qga/commands-posix.c,
/// safe_open_or_fopen), and leaves that of one which is there. Where guest-exec is disabled, the file is written in its place, and what
/// was there is lost when the copy is cut off.
/// </remarks>
internal static class GuestFiles
{
    /// <summary>Bytes of a piece. An agent reads requests byte by byte, so larger ones save nothing.</summary>
    private const int Piece = 64 << 10;

    private const int MostPiece = (Piece * 4 / 3) + 4096;

    // An agent's handles outlive a connection, so a long copy can let others in between.
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(2);

    private const string NoSuchFile = "No such file or directory";

    // What the scripts below end with.
    private const int IsFolder = 21;
    private const int IsThere = 22;
    private const int NoFolder = 23;

    internal static void CopyTo(AgentSession agent, string source, string destination, GuestCopyOptions options)
    {
        using FileStream file = new(source, FileMode.Open, FileAccess.Read, FileShare.Read);
        int mode = options.Mode ?? (int)File.GetUnixFileMode(file.SafeFileHandle) & 0x1ff;
        string target = destination.EndsWith('/') ? destination + Path.GetFileName(source) : destination;
        if (!TryPrepare(agent, ref target, Path.GetFileName(source), options.Overwrite))
        {
            if (!options.Overwrite && Exists(agent, target))
            {
                throw ThereAlready(agent, target);
            }

            Write(agent, file, target, options.Progress);
            return;
        }

        string partial = $"{target}.strato-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        bool own = true;
        try
        {
            GuestCommandOutcome made = RunScript(agent, $"[ -d \"${{1%/*}}/\" ] || exit {NoFolder}; umask 077; set -C; : > \"$1\"", partial);
            if (made.ExitCode != 0)
            {
                own = false;
                throw FromWords(agent, target, made.ExitCode == NoFolder ? NoSuchFile : Said(made));
            }

            Write(agent, file, partial, options.Progress);
            GuestCommandOutcome moved = RunScript(
                agent,
                """chmod "$3" "$1" && { [ "$4" = 1 ] || [ ! -e "$2" ] || exit 22; } && [ ! -d "$2" ] && mv -f -- "$1" "$2" """,
                partial,
                target,
                Convert.ToString(mode, 8),
                options.Overwrite ? "1" : "0");
            if (moved.ExitCode == IsThere)
            {
                throw ThereAlready(agent, target);
            }

            if (moved.ExitCode != 0)
            {
                throw Failed(agent, target, $"it was written, but not put in its place: {Said(moved)}");
            }
        }
        catch when (own)
        {
            // Also after Ctrl-C; nobody waits for the answer.
            agent.Tell("guest-exec", json =>
            {
                json.WriteString("path", "rm");
                json.WriteStartArray("arg");
                json.WriteStringValue("-f");
                json.WriteStringValue("--");
                json.WriteStringValue(partial);
                json.WriteEndArray();
            });
            throw;
        }
    }

    internal static void CopyFrom(AgentSession agent, string source, string destination, GuestCopyOptions options)
    {
        if (Directory.Exists(destination))
        {
            destination = Path.Combine(destination, source.TrimEnd('/').Split('/')[^1]);
        }

        if (!options.Overwrite && File.Exists(destination))
        {
            throw FileExists(destination);
        }

        string partial = $"{destination}.strato-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        try
        {
            using (FileStream file = new(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                Read(agent, source, file, options.Progress);
            }

            try
            {
                File.Move(partial, destination, options.Overwrite);
            }
            catch (IOException) when (!options.Overwrite && File.Exists(destination))
            {
                throw FileExists(destination);
            }
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>Looks at the place of a file; false where the agent runs no programs. A folder is the place of a file of that name in it.</summary>
    private static bool TryPrepare(AgentSession agent, ref string target, string name, bool overwrite)
    {
        for (bool first = true; ; first = false)
        {
            GuestCommandOutcome found;
            try
            {
                found = RunScript(agent, $"[ ! -d \"$1\" ] || exit {IsFolder}; [ ! -e \"$1\" ] || exit {IsThere}", target);
            }
            catch (StratoException e) when (e.Id is "GuestCommandUnavailable" or "GuestCommandNotStarted")
            {
                return false;
            }

            switch (found.ExitCode)
            {
                case IsFolder when first:
                    target = target.TrimEnd('/') + "/" + name;
                    break;
                case IsFolder:
                    throw Failed(agent, target, "it is a folder");
                case IsThere when !overwrite:
                    throw ThereAlready(agent, target);
                case IsThere or 0:
                    return true;
                default:
                    throw Failed(agent, target, Said(found));
            }
        }
    }

    private static GuestCommandOutcome RunScript(AgentSession agent, string script, params string[] arguments) =>
        GuestExec.Run(agent, new GuestCommand { Path = "/bin/sh", Arguments = ["-c", script, "sh", .. arguments], Timeout = AgentSession.AnswerLimit });

    private static bool Exists(AgentSession agent, string path)
    {
        try
        {
            Close(agent, Open(agent, path, "rb"));
            return true;
        }
        catch (StratoException e) when (e.Id == "GuestFileNotFound")
        {
            return false;
        }
    }

    private static void Write(AgentSession agent, FileStream file, string path, Action<long, long?>? progress)
    {
        long handle = Open(agent, path, "wb");
        bool closed = false;
        try
        {
            byte[] piece = new byte[Piece];
            long done = 0;
            Deadline turn = Deadline.After(Turn);
            for (int count = file.ReadAtLeast(piece, Piece, throwOnEndOfStream: false); count > 0; count = file.ReadAtLeast(piece, Piece, throwOnEndOfStream: false))
            {
                for (int from = 0; from < count;)
                {
                    int start = from;
                    long written = Do(agent, path, "guest-file-write", json =>
                    {
                        json.WriteNumber("handle", handle);
                        json.WriteBase64String("buf-b64", piece.AsSpan(start, count - start));
                    }).Number("count") ?? 0;
                    if (written <= 0 || written > count - from)
                    {
                        throw Failed(agent, path, $"{written} bytes of {count - from} were written");
                    }

                    from += (int)written;
                }

                done += count;
                progress?.Invoke(done, file.Length);
                turn = TakeTurns(agent, turn);
            }

            // The agent writes through a buffer; a full disk shows here.
            _ = Do(agent, path, "guest-file-flush", json => json.WriteNumber("handle", handle));
            closed = true;
            Close(agent, handle);
        }
        finally
        {
            if (!closed)
            {
                agent.Tell("guest-file-close", json => json.WriteNumber("handle", handle));
            }
        }
    }

    private static void Read(AgentSession agent, string path, FileStream file, Action<long, long?>? progress)
    {
        long handle = Open(agent, path, "rb");
        bool closed = false;
        try
        {
            long? size = progress is null ? null : Size(agent, handle);
            Deadline turn = Deadline.After(Turn);
            while (true)
            {
                JsonElement answer = Do(
                    agent,
                    path,
                    "guest-file-read",
                    json =>
                    {
                        json.WriteNumber("handle", handle);
                        json.WriteNumber("count", Piece);
                    },
                    MostPiece);
                byte[] bytes = answer.Bytes("buf-b64", agent.VmName);
                bool atEnd = answer.Flag("eof");
                file.Write(bytes);
                if (bytes.Length > 0)
                {
                    progress?.Invoke(file.Position, size);
                }

                if (atEnd)
                {
                    break;
                }

                if (bytes.Length == 0)
                {
                    throw Failed(agent, path, "the guest gives nothing more, and no end");
                }

                turn = TakeTurns(agent, turn);
            }

            closed = true;
            Close(agent, handle);
        }
        finally
        {
            if (!closed)
            {
                agent.Tell("guest-file-close", json => json.WriteNumber("handle", handle));
            }
        }
    }

    private static Deadline TakeTurns(AgentSession agent, Deadline turn)
    {
        if (!turn.Passed)
        {
            return turn;
        }

        agent.Yield();
        return Deadline.After(Turn);
    }

    /// <summary>Null where the guest's file has no size, as a pipe.</summary>
    private static long? Size(AgentSession agent, long handle)
    {
        try
        {
            long? size = Seek("end");
            _ = Seek("set");
            return size;
        }
        catch (StratoException e) when (e.Id is "GuestAgentError" or "GuestCommandUnavailable")
        {
            return null;
        }

        long? Seek(string whence) => agent.Execute(
            "guest-file-seek",
            json =>
            {
                json.WriteNumber("handle", handle);
                json.WriteNumber("offset", 0);
                json.WriteString("whence", whence);
            },
            Deadline.Never).Number("position");
    }

    private static long Open(AgentSession agent, string path, string mode)
    {
        JsonElement handle = Do(agent, path, "guest-file-open", json =>
        {
            json.WriteString("path", path);
            json.WriteString("mode", mode);
        });
        return handle.ValueKind == JsonValueKind.Number && handle.TryGetInt64(out long number) ? number : throw AgentJson.Malformed(agent.VmName, "guest-file-open gives no handle");
    }

    private static void Close(AgentSession agent, long handle) => _ = agent.Execute("guest-file-close", json => json.WriteNumber("handle", handle), Deadline.Never);

    private static JsonElement Do(AgentSession agent, string path, string command, Action<Utf8JsonWriter> arguments, int most = AgentSession.PlainAnswer)
    {
        try
        {
            return agent.Execute(command, arguments, Deadline.Never, most);
        }
        catch (StratoException e) when (e.Id == "GuestAgentError")
        {
            throw FromWords(agent, path, e.Message, e);
        }
    }

    /// <summary>The agent has one class for all errors; its words are those of strerror in the C locale, and a shell's are mostly.</summary>
    private static StratoException FromWords(AgentSession agent, string path, string text, Exception? inner = null) => text switch
    {
        _ when text.Contains(NoSuchFile, StringComparison.Ordinal) =>
            new StratoException(StratoErrorKind.NotFound, "GuestFileNotFound", $"The guest of VM '{agent.VmName}' has no '{path}': {text}", inner) { VmName = agent.VmName },
        _ when text.Contains("Permission denied", StringComparison.Ordinal) =>
            new StratoException(StratoErrorKind.Permission, "GuestFilePermission", $"The guest of VM '{agent.VmName}' doesn't allow '{path}': {text}", inner) { VmName = agent.VmName },
        _ => Failed(agent, path, text, inner),
    };

    private static string Said(GuestCommandOutcome outcome)
    {
        string text = TerminalText.Plain(Encoding.UTF8.GetString(outcome.Error).Trim());
        return text.Length > 0 ? text : string.Create(CultureInfo.InvariantCulture, $"the guest's shell ended with code {outcome.ExitCode}");
    }

    private static StratoException ThereAlready(AgentSession agent, string path) =>
        new(StratoErrorKind.AlreadyExists, "GuestFileExists", $"The guest of VM '{agent.VmName}' has '{path}' already.") { VmName = agent.VmName, RecommendedAction = "-Force replaces it." };

    private static StratoException FileExists(string path) =>
        new(StratoErrorKind.AlreadyExists, "FileExists", $"'{path}' is there already.") { RecommendedAction = "-Force replaces it." };

    private static StratoException Failed(AgentSession agent, string path, string why, Exception? inner = null) =>
        new(StratoErrorKind.Failed, "GuestFileFailed", $"'{path}' in the guest of VM '{agent.VmName}': {why}", inner) { VmName = agent.VmName };
}
