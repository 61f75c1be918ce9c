using System;
using System.Text;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The parts of an option that names a listening unix socket: <c>unix:PATH,server,nowait</c>.</summary>
internal static class SocketOption
{
    private const string Unix = "unix:";

    /// <summary>Takes the path from a part of the form <c>unix:PATH</c>.</summary>
    public static string TakePath(SubOptions parts, string key)
    {
        string address = parts.Require(key);
        return address.StartsWith(Unix, StringComparison.Ordinal)
            ? Check(address[Unix.Length..], parts.Where(null))
            : throw parts.Invalid($"'{ConfigurationLimits.Printable(address)}' is not an address of a socket; allowed: unix:PATH.");
    }

    /// <summary>Takes <c>server</c> and <c>nowait</c> (or server=on, wait=off). Strato's sockets listen and never hold up the start, so nothing else is allowed.</summary>
    /// <param name="parts">The option.</param>
    /// <param name="form">What precedes them, for the error.</param>
    /// <param name="implied">Whether both may be left out.</param>
    /// <exception cref="UserErrorException">InvalidOption: as <see cref="FindServerFault"/> has it.</exception>
    public static void TakeServer(SubOptions parts, string form, bool implied)
    {
        if (FindServerFault(parts, form, implied) is { } fault)
        {
            throw fault;
        }
    }

    /// <summary>Takes them as <see cref="TakeServer"/> does; what is wrong with them, or null.</summary>
    public static UserErrorException? FindServerFault(SubOptions parts, string form, bool implied)
    {
        bool server = parts.TakeBoolean("server") ?? implied;
        bool wait = parts.TakeBoolean("wait") ?? !implied;
        if (server && !wait)
        {
            return null;
        }

        string what = form == "socket" ? "socket,path=PATH" : "unix:PATH";
        return parts.Invalid(server
            ? $"'nowait' is missing: the start never waits for a client; allowed: {what},server,nowait (or server=on,wait=off)."
            : $"'server' is missing: the socket listens; allowed: {what},server,nowait (or server=on,wait=off).");
    }

    /// <summary>Checks that a path fits into a socket's address.</summary>
    public static string Check(string path, string where) => Libc.IsUnixSocketPath(path)
        ? path
        : throw new UserErrorException(
            "SocketPathTooLong",
            $"The socket path '{ConfigurationLimits.Printable(path)}' has {Encoding.UTF8.GetByteCount(path)} bytes; a unix socket's path has 1 to {Libc.UNIX_PATH_MAX - 1}.",
            where);
}
