using System;
using System.Text.Json;

namespace Strato.Client.Store;

/// <summary>What is said of virtual CPUs in <c>vm.json</c>.</summary>
internal static class ProcessorFields
{
    internal static void Write(Utf8JsonWriter writer, ProcessorDefinition processor)
    {
        if (processor == new ProcessorDefinition())
        {
            return;
        }

        writer.WriteStartObject("processor");
        Write(writer, "maximum", processor.Maximum);
        Write(writer, "sockets", processor.Sockets);
        Write(writer, "dies", processor.Dies);
        Write(writer, "cores", processor.Cores);
        Write(writer, "threads", processor.Threads);
        if (processor.Model is not null)
        {
            writer.WriteString("model", processor.Model);
        }

        if (processor.Features.Count > 0)
        {
            writer.WriteString("features", string.Join(',', processor.Features));
        }

        if (processor.Affinity.Count > 0)
        {
            writer.WriteStartArray("affinity");
            foreach (AffinityDefinition one in processor.Affinity)
            {
                writer.WriteStartObject();
                Write(writer, "cpu", one.Cpu);
                if (one.IoThread is not null)
                {
                    writer.WriteString("ioThread", one.IoThread);
                }

                writer.WriteString("hostCpus", one.HostCpus);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        Write(writer, "weight", processor.Weight);
        Write(writer, "quota", processor.Quota);
        DefinitionJson.WriteExtra(writer, processor.Extra);
        writer.WriteEndObject();
    }

    internal static ProcessorDefinition Read(Fields fields)
    {
        if (fields.Object("processor") is not { } processor)
        {
            return new ProcessorDefinition();
        }

        ProcessorDefinition known = new()
        {
            Maximum = processor.OptionalCount("maximum"),
            Sockets = processor.OptionalCount("sockets"),
            Dies = processor.OptionalCount("dies"),
            Cores = processor.OptionalCount("cores"),
            Threads = processor.OptionalCount("threads"),
            Model = processor.OptionalText("model"),
            Features = processor.OptionalText("features") is { Length: > 0 } features ? features.Split(',') : [],
            Affinity = ReadAffinity(processor),
            Weight = processor.OptionalCount("weight"),
            Quota = processor.OptionalCount("quota"),
        };
        return known with { Extra = processor.Rest() };
    }

    private static AffinityDefinition[] ReadAffinity(Fields processor) =>
        Array.ConvertAll(
            processor.List("affinity"),
            one => new AffinityDefinition { Cpu = one.OptionalCount("cpu"), IoThread = one.OptionalText("ioThread"), HostCpus = one.Text("hostCpus") });

    private static void Write(Utf8JsonWriter writer, string name, int? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
    }
}
