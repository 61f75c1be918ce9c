using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Strato.Client.Images;

/// <summary>How programs of an image are run: the command that it names, as whom, where, and with which variables.</summary>
internal sealed record ImageRun
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Entry point and command; empty where the image names none.</summary>
    internal IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>The entry point's part of <see cref="Command"/>, which goes before a program that the user names. Not before -Command, as of a shell.</summary>
    internal IReadOnlyList<string> Entrypoint { get; init; } = [];

    /// <summary>NAME=VALUE each.</summary>
    internal IReadOnlyList<string> Environment { get; init; } = [];

    internal string WorkingDirectory { get; init; } = "/";

    internal uint Uid { get; init; }

    internal uint Gid { get; init; }

    internal string Home { get; init; } = "/root";

    /// <summary>What an image's configuration means, with the users of its root file system.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="lines">Reads a file of the root.</param>
    /// <exception cref="StratoException">ImageUser.</exception>
    internal static ImageRun Of(ImageConfig config, Func<string, string[]> lines)
    {
        (uint uid, uint gid, string home) = User(config.User, lines);
        return new ImageRun
        {
            Command = [.. config.Entrypoint, .. config.Command],
            Entrypoint = config.Entrypoint,
            Environment = config.Environment,
            WorkingDirectory = config.WorkingDirectory.Length == 0 ? "/" : config.WorkingDirectory,
            Uid = uid,
            Gid = gid,
            Home = home,
        };
    }

    /// <summary>A script for the guest's busybox that runs a program in the image, in place of itself.</summary>
    /// <param name="program">Path or name, and its arguments.</param>
    /// <param name="more">Variables beside the image's, which they replace.</param>
    internal string Script(IReadOnlyList<string> program, IReadOnlyDictionary<string, string>? more = null) =>
        Begin(more) + Search(program[0]) + Execute(program, more);

    /// <summary>A script that gives a line to the image's shell, or to busybox's where the image has none.</summary>
    /// <inheritdoc cref="Script" path="/param"/>
    /// <param name="line">The command line.</param>
    /// <param name="more">As of <see cref="Script"/>.</param>
    internal string ShellScript(string line, IReadOnlyDictionary<string, string>? more = null) =>
        Begin(more) + "found=/bin/sh\n"
        + $"[ -x /bin/sh ] || {{ {Execute(["/dev/.strato/busybox", "sh", "-c", line], more, "/dev/.strato/busybox").TrimEnd()}; }}\n"
        + Execute(["/bin/sh", "-c", line], more);

    internal void Write(Utf8JsonWriter json)
    {
        WriteTexts(json, "command", Command);
        WriteTexts(json, "entrypoint", Entrypoint);
        WriteTexts(json, "environment", Environment);
        json.WriteString("workingDirectory", WorkingDirectory);
        json.WriteNumber("uid", Uid);
        json.WriteNumber("gid", Gid);
        json.WriteString("home", Home);
    }

    /// <exception cref="StratoException">ImageDamaged.</exception>
    internal static ImageRun Read(JsonElement json) => new()
    {
        Command = OciImage.Texts(json, "command"),
        Entrypoint = OciImage.Texts(json, "entrypoint"),
        Environment = OciImage.Texts(json, "environment"),
        WorkingDirectory = OciImage.Text(json, "workingDirectory") ?? "/",
        Uid = OciImage.Member(json, "uid") is { ValueKind: JsonValueKind.Number } uid && uid.TryGetUInt32(out uint user) ? user : 0,
        Gid = OciImage.Member(json, "gid") is { ValueKind: JsonValueKind.Number } gid && gid.TryGetUInt32(out uint group) ? group : 0,
        Home = OciImage.Text(json, "home") ?? "/",
    };

    private string Begin(IReadOnlyDictionary<string, string>? more)
    {
        StringBuilder script = new();
        script.Append("export PATH=").Append(DefaultPath).Append(" HOME=").Append(Quote(Home)).Append('\n');
        foreach ((string name, string value) in Variables(more))
        {
            if (IsPlain(name))
            {
                script.Append("export ").Append(name).Append('=').Append(Quote(value)).Append('\n');
            }
        }

        return script.Append("cd ").Append(Quote(WorkingDirectory)).Append(" || exit 126\n").ToString();
    }

    /// <summary>Finds a program as execvp(3) does: busybox's shell would take its own applets first.</summary>
    private static string Search(string program) => $$"""
        program={{Quote(program)}} found=
        case $program in
            */*) found=$program ;;
            *)
                IFS=:
                for folder in $PATH; do
                    if [ -f "$folder/$program" ] && [ -x "$folder/$program" ]; then
                        found=$folder/$program
                        break
                    fi
                done
                unset IFS ;;
        esac
        [ -n "$found" ] || { echo "strato-guest: $program: not found" >&2; exit 127; }

        """;

    private string Execute(IReadOnlyList<string> program, IReadOnlyDictionary<string, string>? more, string? path = null)
    {
        StringBuilder script = new("exec ");
        StringBuilder odd = new();
        foreach ((string name, string value) in Variables(more))
        {
            if (!IsPlain(name))
            {
                odd.Append(' ').Append(Quote($"{name}={value}"));
            }
        }

        if (odd.Length > 0)
        {
            // Names that a shell has not.
            script.Append("/dev/.strato/busybox env").Append(odd).Append(' ');
        }

        string found = path is null ? "\"$found\"" : Quote(path);
        script.Append((Uid, Gid) == (0, 0)
            ? found
            : string.Create(CultureInfo.InvariantCulture, $"/dev/.strato/busybox start-stop-daemon -S -q -p /dev/.strato/none -c {Uid}:{Gid} -x {found} --"));
        for (int i = 1; i < program.Count; i++)
        {
            script.Append(' ').Append(Quote(program[i]));
        }

        return script.Append('\n').ToString();
    }

    private IEnumerable<(string Name, string Value)> Variables(IReadOnlyDictionary<string, string>? more)
    {
        foreach (string variable in Environment)
        {
            int at = variable.IndexOf('=', StringComparison.Ordinal);
            if (at > 0)
            {
                yield return (variable[..at], variable[(at + 1)..]);
            }
        }

        foreach ((string name, string value) in more ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            yield return (name, value);
        }
    }

    private static bool IsPlain(string name)
    {
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] != '_' && !char.IsAsciiLetter(name[i]) && (i == 0 || !char.IsAsciiDigit(name[i])))
            {
                return false;
            }
        }

        return name.Length > 0;
    }

    /// <summary>A text as one word of a shell.</summary>
    internal static string Quote(string text) => $"'{text.Replace("\0", "", StringComparison.Ordinal).Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static (uint Uid, uint Gid, string Home) User(string user, Func<string, string[]> lines)
    {
        if (user.Length == 0)
        {
            return (0, 0, "/root");
        }

        int colon = user.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? user : user[..colon];
        string group = colon < 0 ? "" : user[(colon + 1)..];
        uint? uid = null, gid = null;
        string home = "/";
        foreach (string line in lines("etc/passwd"))
        {
            // name:password:uid:gid:comment:home:shell
            string[] fields = line.Split(':');
            if (fields.Length >= 6 && (fields[0] == name || fields[2] == name) && uint.TryParse(fields[2], out uint number) && uint.TryParse(fields[3], out uint primary))
            {
                (uid, gid, home) = (number, primary, fields[5].Length == 0 ? "/" : fields[5]);
                break;
            }
        }

        if (uid is null)
        {
            uid = uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint given) ? given : throw Unknown("user", name);
        }

        if (group.Length > 0)
        {
            gid = uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : null;
            foreach (string line in lines("etc/group"))
            {
                string[] fields = line.Split(':');
                if (fields.Length >= 3 && fields[0] == group && uint.TryParse(fields[2], out number))
                {
                    gid = number;
                    break;
                }
            }

            if (gid is null)
            {
                throw Unknown("group", group);
            }
        }

        return (uid.Value, gid ?? 0, home);
    }

    private static StratoException Unknown(string kind, string name) =>
        new(StratoErrorKind.InvalidData, "ImageUser", $"The image is run as the {kind} '{TerminalText.Plain(name)}', which its /etc/{(kind == "user" ? "passwd" : "group")} doesn't know.");

    private static void WriteTexts(Utf8JsonWriter json, string name, IReadOnlyList<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
