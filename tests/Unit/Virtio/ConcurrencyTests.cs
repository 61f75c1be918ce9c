using System;
using System.Threading;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>The device on a thread of its own, as in the engine.</summary>
public class ConcurrencyTests
{
    private const int TooLong = 30_000;
    private const int Rounds = 100_000;

    /// <summary>Driver and device go to sleep and wake each other by doorbell and interrupt alone: a lost one ends in a time-out.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void NoDoorbellAndNoInterruptIsLost(bool eventIndex)
    {
        using MmioDriver driver = new(new EchoDevice(1));
        driver.StartLoopThread();
        driver.Start(64, eventIndex ? ulong.MaxValue : ~VirtioFeature.EventIndex);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(16);
        Random random = new(1);
        for (int i = 0; i < Rounds; i++)
        {
            queue.Add(new DriverBuffer(at, 4, true));
            queue.Kick();

            // Mostly the answer is awaited by looking, so that the next request comes in the very moment in which the
            // device goes to sleep; now and then by sleeping too, which is the same race the other way round.
            int patience = random.Next(8) == 0 ? random.Next(300) : 50_000;
            while (!queue.TryTake(out _, out _))
            {
                if (patience-- <= 0 && !queue.EnableInterrupt())
                {
                    Assert.True(driver.Interrupt.Wait(TooLong), $"request {i} was lost");
                }
            }

            queue.DisableInterrupt();
            for (int delay = random.Next(200); delay > 0; delay--)
            {
                Thread.SpinWait(1);
            }
        }
    }

    /// <summary>When the write of 0 to the status returns, the device writes to no buffer any more, and starts again as new.</summary>
    [Theory]
    [InlineData(DriveAio.Off, false)]
    [InlineData(DriveAio.Threads, false)]
    [InlineData(DriveAio.Threads, true)]
    [InlineData(DriveAio.Native, true)]
    [InlineData(DriveAio.IoUring, false)]
    [InlineData(DriveAio.IoUring, true)]
    public void AThousandResetsUnderIo(DriveAio aio, bool direct)
    {
        const int bytes = 64 << 10;
        using TemporaryFile file = new(1 << 20);
        using MmioDriver driver = Open(file, aio, direct);
        driver.StartLoopThread();
        Random random = new(1);
        int caught = 0;

        // On a busy machine the device is often done before the reset: then there are more rounds.
        for (int round = 0; round < 1000 || (caught <= 100 && round < 20_000); round++)
        {
            driver.Start(64);
            DriverQueue queue = driver.Queues[0];
            ulong header = driver.Allocate(16);
            ulong statuses = driver.Allocate(64);
            ulong data = driver.Allocate(16 * bytes, 4096);
            BlockClient.WriteHeader(driver.Ram(header, 16), BlockLayout.TypeIn, 0);
            for (int i = 0; i < 16; i++)
            {
                queue.Add(
                    new DriverBuffer(header, 16, false),
                    new DriverBuffer(data + (ulong)(i * bytes), bytes, true),
                    new DriverBuffer(statuses + (ulong)i, 1, true));
            }

            queue.Kick();
            Thread.SpinWait(random.Next(5000));
            driver.Write(MmioRegister.Status, 0);

            ushort used = queue.UsedIndex;
            caught += used < 16 ? 1 : 0;
            Span<byte> all = driver.Ram(header, (int)(data - header) + (16 * bytes));
            all.Fill(0xee);
            Thread.SpinWait(2000);
            Assert.True(all.IndexOfAnyExcept((byte)0xee) < 0, $"round {round}: the device wrote after its reset");
            Assert.Equal(used, queue.UsedIndex);
            Assert.Equal(0u, driver.Read(MmioRegister.InterruptStatus));
        }

        Assert.True(caught > 100, $"only {caught} resets came while requests were under way: the test proves too little");
    }

    private static MmioDriver Open(TemporaryFile file, DriveAio aio, bool direct)
    {
        try
        {
            return new MmioDriver(new BlockDevice("disk", DiskOpener.Open(new DriveOptions("disk", file.Path) { Aio = aio, Direct = direct })));
        }
        catch (UserErrorException error) when (error.Id is "DriveDirect" or "DriveAio")
        {
            Assert.Skip(error.Message);
            throw;
        }
    }
}
