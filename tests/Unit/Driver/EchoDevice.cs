using System;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;

namespace Strato.Tests.Unit.Driver;

/// <summary>The simplest device: answers a request with what the request says. For tests of queue and transport alone.</summary>
internal sealed class EchoDevice(int queues = 2, int queueSize = 256)
    : VirtioDevice("echo", VirtioType.Entropy, FeatureSpeaksUp, Repeat(queueSize, queues), ConfigurationBytes)
{
    public const ulong FeatureSpeaksUp = 1UL << 3;
    public const int ConfigurationBytes = 8;

    private readonly DescriptorChain _chain = new();
    private readonly byte[] _scratch = new byte[4096];

    /// <summary>Requests that were served since it was made.</summary>
    public long Served { get; private set; }

    /// <summary>Called at each request, for a driver that acts while the device works.</summary>
    public Action? OnServe { get; set; }

    /// <summary>What the host refuses when it is to serve the device; null for nothing.</summary>
    public LinuxException? Refusal { get; set; }

    public void Announce(ReadOnlySpan<byte> configuration) => SetConfiguration(0, configuration);

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        if (Refusal is not null)
        {
            throw Refusal;
        }
    }

    protected override void ProcessQueue(int index) => ServeRequests(index, _chain);

    protected override uint Serve(int index, DescriptorChain chain)
    {
        Served++;
        OnServe?.Invoke();
        uint written = 0;
        while (chain.Readable.Length > 0 && chain.Writable.Length > 0)
        {
            int count = (int)Math.Min(Math.Min(chain.Writable.Length, chain.Readable.Length), (ulong)_scratch.Length);
            chain.Readable.Read(_scratch.AsSpan(0, count));
            written += (uint)chain.Writable.Write(_scratch.AsSpan(0, count));
        }

        return written;
    }

    private static int[] Repeat(int value, int count)
    {
        int[] values = new int[count];
        Array.Fill(values, value);
        return values;
    }
}
