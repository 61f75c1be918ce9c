using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Linux;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands for sets of passed descriptors, which <c>/dev/fdset/N</c> stands for. Unlike getfd's they stay when the connection ends.</summary>
internal static class FileSetCommands
{
    public static void Add(QmpCall call)
    {
        long? set = call.Arguments.Number("fdset-id");
        if (set < 0)
        {
            throw new QmpException($"Parameter 'fdset-id' is {set}; allowed are numbers from 0 on");
        }

        string? opaque = call.Arguments.Text("opaque");
        if (opaque?.Length > ConfigurationLimits.MaxPath)
        {
            throw new QmpException($"Parameter 'opaque' has {opaque.Length} characters; allowed are {ConfigurationLimits.MaxPath}");
        }

        if (FileSets.IsFull)
        {
            throw new QmpException($"All sets together have {FileSets.MaxFiles} descriptors, which is the most; remove-fd closes one");
        }

        FileDescriptor file = call.Files.Take();
        long number = FileSets.Add(file, set, opaque);
        call.Result.WriteStartObject();
        call.Result.WriteNumber("fd", file.Value);
        call.Result.WriteNumber("fdset-id", number);
        call.Result.WriteEndObject();
    }

    public static void Remove(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        long set = arguments.Number("fdset-id")!.Value;
        long? file = arguments.Number("fd");
        if (!FileSets.Remove(set, file))
        {
            string what = file is null ? $"fdset-id:{set}" : $"fdset-id:{set}, fd:{file}";
            throw new QmpException($"File descriptor named '{what}' not found; query-fdsets lists all");
        }
    }

    public static void Query(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach ((long set, List<FileOfSet> files) in FileSets.All)
        {
            json.WriteStartObject();
            json.WriteStartArray("fds");
            foreach (FileOfSet file in files)
            {
                json.WriteStartObject();
                json.WriteNumber("fd", file.File.Value);
                if (file.Opaque is not null)
                {
                    json.WriteString("opaque", file.Opaque);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber("fdset-id", set);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
