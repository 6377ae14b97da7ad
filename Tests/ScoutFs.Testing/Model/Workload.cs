using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Draws operations, one after the other, that suit the state a file system is in.</summary>
/// <remarks>
/// Most operations can succeed; some cannot, on purpose. Same seed and same states, same operations. Ids of new inodes
/// count from <c>firstId</c>, so that several workloads on one file system do not meet.
/// </remarks>
public sealed class Workload
{
    private readonly Prng _prng;
    private readonly WorkloadProfile _profile;
    private readonly ulong _home;
    private readonly List<ulong> _directories = [];
    private readonly List<ulong> _others = [];
    private readonly int[] _weights;
    private readonly int _totalWeight;
    private ModelState _state;
    private ulong _nextId;

    /// <summary>Creates a workload below a directory.</summary>
    /// <param name="prng">Decides everything.</param>
    /// <param name="profile">What it is like.</param>
    /// <param name="home">Directory below which everything happens.</param>
    /// <param name="firstId">Id of the first inode it makes.</param>
    public Workload(Prng prng, WorkloadProfile profile, ulong home = ModelState.RootId, ulong firstId = 2)
    {
        _prng = prng;
        _profile = profile;
        _home = home;
        _nextId = firstId;
        _state = new ModelState(ImmutableDictionary<ulong, ModelInode>.Empty);
        _weights =
        [
            profile.Make, profile.Tmpfile, profile.Link, profile.Remove, profile.Rename, profile.Open, profile.Write,
            profile.Truncate, profile.Allocate, profile.SetAttr, profile.Xattr, profile.Archive, profile.Query,
            profile.Sync,
        ];
        _totalWeight = _weights.Sum();
    }

    /// <summary>Lets it work on inodes that are there already.</summary>
    public void Adopt(ModelState state)
    {
        foreach (var inode in state.Inodes.Values.OrderBy(static inode => inode.Id))
        {
            if (inode.Id != _home)
                (inode.IsDirectory ? _directories : _others).Add(inode.Id);
        }
    }

    /// <summary>Draws the next operation.</summary>
    /// <param name="state">The file system as it is now.</param>
    public FsOp Next(ModelState state)
    {
        _state = state;
        Forget();
        int drawn = _prng.NextInt32(_totalWeight);
        int kind = 0;
        while (drawn >= _weights[kind])
            drawn -= _weights[kind++];
        bool isFull = _directories.Count + _others.Count >= _profile.MaxInodes;
        if (kind <= 2 && isFull && _prng.NextInt32(4) != 0)
            kind = 3;
        if (kind is 6 or 7 or 8 or 11 && _state.Find(PickFile()) is not { IsRegular: true })
            kind = 0;
        return kind switch
        {
            0 => Make(),
            1 => new TmpfileOp(PickDirectory(), NewId(isDirectory: false), FileMode.Regular | Permissions(), 0, 0),
            2 => new LinkOp(PickOther(), PickDirectory(), NewName()),
            3 => Remove(),
            4 => Rename(),
            5 => OpenOrClose(),
            6 => Write(),
            7 => new TruncateOp(PickFile(), Size()),
            8 => new AllocateOp(
                PickFile(), Below(_profile.MaxFileBytes), 1 + Below(_profile.MaxWriteBytes), Chance(300)),
            9 => SetAttr(),
            10 => Xattr(),
            11 => Archive(),
            12 => Query(),
            _ => new SyncOp(Chance(500) ? 0 : PickAny()),
        };
    }

    // Both lists keep what may be dead by now; a few are looked at each time.
    private void Forget()
    {
        foreach (var list in new[] { _directories, _others })
        {
            for (int i = 0; i < 4 && list.Count > 0; i++)
                _ = TryPick(list, out _);
        }
    }

    private bool TryPick(List<ulong> list, out ulong id)
    {
        id = _home;
        while (list.Count > 0)
        {
            int index = _prng.NextInt32(list.Count);
            id = list[index];
            if (_state.Find(id) is not null)
                return true;
            list[index] = list[^1];
            list.RemoveAt(list.Count - 1);
        }

        return false;
    }

    private bool Chance(int perMille) => _prng.NextInt32(1000) < perMille;

    private ulong Below(int bound) => _prng.NextUInt64((ulong)bound + 1);

    private ulong NewId(bool isDirectory)
    {
        (isDirectory ? _directories : _others).Add(_nextId);
        return _nextId++;
    }

    private ulong PickDirectory()
    {
        if (_directories.Count == 0 || Chance(100))
            return _home;
        if (Chance(_profile.NewestDirectoryPerMille) && _state.Find(_directories[^1]) is not null)
            return _directories[^1];
        return TryPick(_directories, out ulong id) ? id : _home;
    }

    private ulong PickOther() => TryPick(_others, out ulong id) ? id : _home;

    private ulong PickAny() => Chance(250) ? PickDirectory() : PickOther();

    private ulong PickFile() => Pick(static inode => inode.IsRegular);

    private ulong Pick(Func<ModelInode, bool> isWanted)
    {
        for (int i = 0; i < 12; i++)
        {
            ulong id = PickOther();
            if (_state.Find(id) is { } inode && isWanted(inode))
                return id;
        }

        return PickOther();
    }

    // A name that exists, through an inode that has one; now and then one that need not.
    private ModelLink PickLink()
    {
        for (int i = 0; i < 8 && !Chance(50); i++)
        {
            if (_state.Find(PickAny()) is { Links.Count: > 0 } inode && inode.Id != _home)
                return inode.Links[_prng.NextInt32(inode.Links.Count)];
        }

        return new ModelLink(PickDirectory(), NewName());
    }

    private string NewName() => Chance(_profile.OddNamePerMille)
        ? OddName()
        : "n" + _prng.NextInt32(_profile.NamesPerDirectory).ToString(CultureInfo.InvariantCulture);

    private string OddName()
    {
        switch (_prng.NextInt32(10))
        {
            case 0:
                return new string('x', FormatConstants.MaxNameBytes + _prng.NextInt32(2));
            case 1:
                return ".hidden " + _prng.NextInt32(10).ToString(CultureInfo.InvariantCulture);
            case < 6:
                var (first, second) = NameCollisions.Pairs[_prng.NextInt32(NameCollisions.Pairs.Count)];
                return Chance(500) ? first : second;
            default:
                var bytes = ModelText.Contents(_prng.NextUInt64(40), 1 + _prng.NextInt32(FormatConstants.MaxNameBytes));
                bytes.AsSpan().Replace((byte)'/', (byte)'|');
                return ModelText.FromBytes(bytes);
        }
    }

    private uint Permissions() => (uint)_prng.NextInt32(0x200);

    private MakeOp Make()
    {
        ulong parent = PickDirectory();
        string name = NewName();
        if (Chance(_profile.MakeDirectoryPerMille))
        {
            uint bits = Permissions() | (Chance(100) ? 0x400u : 0) | (Chance(50) ? 0x200u : 0);
            return new MakeOp(parent, name, NewId(isDirectory: true), FileMode.Directory | bits, Owner(), Owner());
        }

        ulong id = NewId(isDirectory: false);
        return _prng.NextInt32(20) switch
        {
            0 => new MakeOp(parent, name, id, FileMode.Fifo | Permissions(), Owner(), Owner()),
            1 => new MakeOp(parent, name, id, FileMode.Socket | Permissions(), Owner(), Owner()),
            2 => new MakeOp(parent, name, id, FileMode.CharDevice | Permissions(), Owner(), Owner(), Rdev()),
            3 => new MakeOp(parent, name, id, FileMode.BlockDevice | Permissions(), Owner(), Owner(), Rdev()),
            4 or 5 => new MakeOp(parent, name, id, FileMode.Symlink | 0x1ff, Owner(), Owner(), Target: Target()),
            _ => new MakeOp(parent, name, id, FileMode.Regular | Permissions(), Owner(), Owner()),
        };
    }

    private uint Owner() => Chance(700) ? 0 : (uint)_prng.NextInt32(70_000);

    private uint Rdev() => (uint)_prng.NextUInt64(1UL << 32);

    private string Target()
    {
        if (Chance(500))
            return _state.PathOf(PickAny()) is [_, _, ..] and { Length: < 4000 } path ? path : "/";
        int length = Chance(100) ? 4095 : 1 + _prng.NextInt32(2000);
        return ModelText.FromBytes(ModelText.Contents(_prng.NextUInt64(), length));
    }

    private RemoveOp Remove()
    {
        var link = PickLink();
        bool isDirectory = _state.Find(link.Directory, link.Name) is { IsDirectory: true };
        return new RemoveOp(link.Directory, link.Name, isDirectory ^ Chance(30));
    }

    private RenameOp Rename()
    {
        var link = PickLink();
        if (Chance(250) && PickLink() is var other)
            return new RenameOp(link.Directory, link.Name, other.Directory, other.Name, Chance(200));
        ulong directory = Chance(300) ? link.Directory : PickDirectory();
        return new RenameOp(link.Directory, link.Name, directory, NewName(), Chance(200));
    }

    private FsOp OpenOrClose()
    {
        for (int i = 0; i < 4; i++)
        {
            ulong id = PickOther();
            if (_state.Find(id) is { Opens: > 0 } && Chance(600))
                return new CloseOp(id);
        }

        return new OpenOp(Chance(100) ? PickDirectory() : PickOther());
    }

    private WriteOp Write()
    {
        ulong id = PickFile();
        ulong size = _state.Find(id)?.Size ?? 0;
        int length = _prng.NextInt32(4) switch
        {
            0 => 1 + _prng.NextInt32(100),
            1 => 4096 * (1 + _prng.NextInt32(Math.Max(_profile.MaxWriteBytes / 4096, 1))),
            _ => 1 + _prng.NextInt32(_profile.MaxWriteBytes),
        };
        ulong room = (ulong)Math.Max(_profile.MaxFileBytes - length, 0);
        ulong offset = _prng.NextInt32(4) switch
        {
            0 => Math.Min(size, room),
            1 => Math.Min(size, room) / 4096 * 4096,
            2 => _prng.NextUInt64(room + 1) / 4096 * 4096,
            _ => _prng.NextUInt64(room + 1),
        };
        ulong seed = _prng.NextUInt64();
        bool isAppend = offset == size && seed % 2 == 0;
        return new WriteOp(id, isAppend ? _prng.NextUInt64() : offset, length, seed, isAppend);
    }

    private ulong Size()
    {
        ulong size = _prng.NextInt32(5) switch
        {
            0 => 0,
            1 when _state.Find(PickFile()) is { IsRegular: true } file => file.Size,
            2 => Below(_profile.MaxFileBytes) / 4096 * 4096,
            _ => Below(_profile.MaxFileBytes),
        };
        return Math.Min(size, (ulong)_profile.MaxFileBytes);
    }

    private FsOp SetAttr()
    {
        ulong id = PickAny();
        return _prng.NextInt32(5) switch
        {
            0 => new SetAttrOp(id, Mode: Permissions()),
            1 => new SetAttrOp(id, Uid: Owner(), Gid: Owner()),
            2 => new SetAttrOp(id, Atime: Time(), Mtime: Time()),
            3 => new SetAttrOp(id, Mtime: Time()),
            _ => new SetProjectOp(id, _prng.NextUInt64(5)),
        };
    }

    private ModelTime Time() =>
        new((long)_prng.NextUInt64(1UL << 33) - (1L << 31), (uint)_prng.NextInt32(1_000_000_000));

    private FsOp Xattr()
    {
        ulong id = PickAny();
        string name = XattrNameOf(id);
        if (Chance(250))
            return new RemoveXattrOp(id, name);
        int flags = _prng.NextInt32(10);
        string? text = TaggedValue(name);
        int length = _prng.NextInt32(8) switch
        {
            0 => 0,
            1 => _profile.MaxXattrBytes,
            2 => 880 + _prng.NextInt32(30),
            _ => _prng.NextInt32(300),
        };
        return new SetXattrOp(
            id, name, text, Math.Min(length, _profile.MaxXattrBytes), _prng.NextUInt64(), flags == 0, flags == 1);
    }

    // One that the inode has, or any.
    private string XattrNameOf(ulong id) => Chance(500) && _state.Find(id) is { Xattrs.Count: > 0 } inode
        ? inode.Xattrs.Keys.ElementAt(_prng.NextInt32(inode.Xattrs.Count))
        : XattrName();

    private string XattrName()
    {
        string number = _prng.NextInt32(6).ToString(CultureInfo.InvariantCulture);
        return _prng.NextInt32(16) switch
        {
            0 => "trusted.t" + number,
            1 => "security.s" + number,
            2 => "scoutfs.hide.h" + number,
            3 => "scoutfs.srch.s" + number,
            4 => "scoutfs.hide.srch.hs" + number,
            5 or 6 => $"scoutfs.totl.sum.{_prng.NextInt32(3)}.0x1{number}.07",
            7 => $"scoutfs.hide.totl.srch.x.1.2.{number}",
            8 or 9 => $"scoutfs.indx.i.{_prng.NextInt32(256)}.{number}",
            10 => $"scoutfs.hide.srch.indx.i.7.{number}",
            11 => "scoutfs.totl.indx.no." + number,
            12 => "scoutfs.unknown." + number,
            13 => "user." + new string('l', 250),
            _ => "user.u" + number,
        };
    }

    // Values that tagged names must have, now and then a wrong one.
    private string? TaggedValue(string name)
    {
        if (name.Contains("totl.", StringComparison.Ordinal))
        {
            return _prng.NextInt32(8) switch
            {
                0 => "none",
                1 => "0x" + _prng.NextUInt64().ToString("x", CultureInfo.InvariantCulture),
                _ => _prng.NextInt32(100_000).ToString(CultureInfo.InvariantCulture),
            };
        }

        return name.Contains("indx.", StringComparison.Ordinal) && !Chance(50) ? string.Empty : null;
    }

    private FsOp Archive()
    {
        ulong id = Pick(inode => inode.IsRegular && !inode.Blocks.IsEmpty);
        ulong first = _prng.NextUInt64(8);
        return _state.Find(id) is { OfflineBlocks: > 0 } file
            ? new StageOp(id, 0, (file.Size + 4095) / 4096)
            : new ReleaseOp(id, first, 1 + _prng.NextUInt64(8));
    }

    private FsOp Query()
    {
        switch (_prng.NextInt32(9))
        {
            case 0:
                var link = PickLink();
                return new LookupOp(link.Directory, link.Name);
            case 1:
                return new LookupOp(PickDirectory(), NewName());
            case 2:
                return new ListOp(PickDirectory());
            case 3:
                return new StatOp(PickAny());
            case 4:
                ulong id = Pick(static inode => !inode.Xattrs.IsEmpty);
                return new GetXattrOp(id, XattrNameOf(id));
            case 5:
                return new ListXattrsOp(PickAny());
            case 6:
                return new ReadLinkOp(Pick(static inode => inode.IsSymlink || inode.Id % 7 == 0));
            case 7:
                return new SeekOp(PickFile(), Below(_profile.MaxFileBytes), Chance(500));
            default:
                return new ReadOp(
                    PickFile(), Below(_profile.MaxFileBytes), 1 + _prng.NextInt32(_profile.MaxWriteBytes));
        }
    }
}
