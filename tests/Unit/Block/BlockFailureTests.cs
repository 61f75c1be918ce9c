using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>The host fails at a request: what the guest is told, what the machine is told, and what is tried again.</summary>
public sealed class BlockFailureTests : IDisposable
{
    private readonly TemporaryFile _file = new(1 << 20);
    private readonly List<BlockFailure> _failures = [];
    private MmioDriver? _driver;
    private FailingImage? _image;

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
    }

    [Theory]
    [InlineData(DriveErrorAction.Report, Errno.EIO, BlockLayout.StatusIoError, DriveErrorAction.Report)]
    [InlineData(DriveErrorAction.Report, Errno.ENOSPC, BlockLayout.StatusIoError, DriveErrorAction.Report)]
    [InlineData(DriveErrorAction.Ignore, Errno.EIO, BlockLayout.StatusOk, DriveErrorAction.Ignore)]
    [InlineData(DriveErrorAction.Stop, Errno.EIO, null, DriveErrorAction.Stop)]
    [InlineData(DriveErrorAction.Enospc, Errno.EIO, BlockLayout.StatusIoError, DriveErrorAction.Report)]
    [InlineData(DriveErrorAction.Enospc, Errno.ENOSPC, null, DriveErrorAction.Stop)]
    public void AFailedWriteIsDealtWithAsTheDriveSays(DriveErrorAction action, int error, byte? status, DriveErrorAction told)
    {
        BlockClient client = Open(new BlockOptions { WriteError = action }, DriveAio.Off);
        _image!.Error = error;
        Assert.Equal(status, client.Write(1, new byte[512]));
        Assert.Equal([new BlockFailure("d", true, error, told)], _failures);
    }

    [Theory]
    [InlineData(DriveErrorAction.Report, BlockLayout.StatusIoError)]
    [InlineData(DriveErrorAction.Ignore, BlockLayout.StatusOk)]
    [InlineData(DriveErrorAction.Stop, null)]
    public void AFailedReadIsDealtWithAsTheDriveSays(DriveErrorAction action, byte? status)
    {
        BlockClient client = Open(new BlockOptions { ReadError = action, WriteError = DriveErrorAction.Enospc }, DriveAio.Off);
        _image!.Error = Errno.EIO;
        Assert.Equal(status, client.Read(1, new byte[512]));
        Assert.Equal([new BlockFailure("d", false, Errno.EIO, action)], _failures);
    }

    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    public void WhatWasHeldIsTriedAgainWhenTheMachineGoesOn(DriveAio aio)
    {
        BlockClient client = Open(new BlockOptions { WriteError = DriveErrorAction.Enospc }, aio);
        byte[] data = new byte[4096];
        new Random(2).NextBytes(data);
        _image!.Error = Errno.ENOSPC;
        Assert.Null(client.Write(8, data));
        _driver!.Device.Quiesce();

        // Still full: held once more. Then there is room.
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(2, _failures.Count);
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        _driver.Device.Quiesce();
        _image.Error = 0;
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[0].UsedIndex);
        Assert.Equal(data, System.IO.File.ReadAllBytes(_file.Path).AsSpan(4096, 4096).ToArray());
    }

    [Fact]
    public void AResetForgetsWhatWasHeld()
    {
        BlockClient client = Open(new BlockOptions { WriteError = DriveErrorAction.Stop }, DriveAio.Threads);
        _image!.Error = Errno.EIO;
        Assert.Null(client.Write(8, new byte[512]));
        _driver!.Device.Quiesce();
        _driver.Transport.Reset();
        _image.Error = 0;
        int performed = _image.Performed;
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(performed, _image.Performed);
        _driver.Start();
        Assert.Equal(BlockLayout.StatusOk, new BlockClient(_driver).Read(0, new byte[512]));
    }

    [Fact]
    public void AGuestThatMakesFailuresDoesNotFloodItsListeners()
    {
        BlockClient client = Open(new BlockOptions(), DriveAio.Off);
        _image!.Error = Errno.EIO;
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(BlockLayout.StatusIoError, client.Read(0, new byte[512]));
        }

        Assert.InRange(_failures.Count, 1, 100);
    }

    private BlockClient Open(BlockOptions options, DriveAio aio)
    {
        _image = new FailingImage(_file.Path, aio);
        BlockDevice device = new("d", _image, options) { Failed = _failures.Add };
        _driver = new MmioDriver(device);
        _driver.Start(64);
        return new BlockClient(_driver);
    }

    /// <summary>A host that fails when it is told to.</summary>
    private sealed class FailingImage(string path, DriveAio aio)
        : DiskImage(new FileDescriptor(Libc.Open(path, Libc.O_RDWR)), new DiskGeometry(1 << 20, 512, 4096), new DriveOptions("d", path) { Aio = aio })
    {
        private int _performed;

        public int Error { get; set; }

        public int Performed => Volatile.Read(ref _performed);

        public override bool TryReadCached(DiskRequest request) => false;

        public override void Perform(DiskRequest request)
        {
            Interlocked.Increment(ref _performed);
            if (Error != 0)
            {
                request.Error = Error;
                return;
            }

            base.Perform(request);
        }
    }
}
