//! JPEG by libjpeg-turbo (as it is in mozjpeg), through its C interface: the one place here that
//! calls foreign code, because no safe binding decodes a part of a picture.
//!
//! Full resolution, the accurate integer DCT and fancy upsampling: libjpeg's defaults, so the bytes
//! are those of Pillow and of TensorFlow's `decode_jpeg(dct_method="INTEGER_ACCURATE")`. (The study
//! left the method to TensorFlow, which takes the fast DCT: off by up to 7 in values of a photograph
//! of quality 90.) Columns outside a window are not transformed, rows above
//! it neither, rows below it not even read. Upsampling looks one sample to each side, so a pixel
//! more is computed there: the window has the very bytes that it has in the whole picture, which
//! those of TensorFlow's `decode_and_crop_jpeg` have not along its edges.
#![expect(unsafe_code, reason = "this is the module that calls libjpeg")]

use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};

use mozjpeg_sys as sys;
use mozjpeg_sys::J_COLOR_SPACE::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB};

use crate::decoder::{Window, luma};
use crate::header::{jpeg_is_adobes, jpeg_is_whole};
use crate::{Codec, DecodeError};

/// Scans of a progressive picture that are read. Encoders write some ten; each of many would cost a
/// pass over the whole picture for a few bytes.
const MAX_SCANS: i32 = 200;

/// Rows that are asked for at once: libjpeg hands out no more than some four.
const ROWS: usize = 16;

/// libjpeg's state, made when the first picture comes and kept.
#[derive(Default)]
pub(crate) struct Jpeg(Option<NonNull<State>>);

struct State {
    info: sys::jpeg_decompress_struct,
    errors: sys::jpeg_error_mgr,
    progress: sys::jpeg_progress_mgr,
}

// SAFETY: the state is reached through this handle alone, and libjpeg has no state of threads.
unsafe impl Send for Jpeg {}

impl Jpeg {
    /// Decodes at least `window`; `raw` is memory to work with. Returns which part `out` has.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        channels: usize,
        window: Window,
        raw: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Window, DecodeError> {
        if !jpeg_is_whole(bytes) {
            return Err(DecodeError::Truncated { codec: Codec::Jpeg, at: bytes.len() });
        }
        let state = *self.0.get_or_insert_with(State::create);
        // SAFETY: the state is whole and nobody else uses it; `bytes` outlives the call. A failure
        // unwinds out of libjpeg, which is compiled for that, into this closure's caller.
        let part = catch_unwind(AssertUnwindSafe(|| unsafe {
            (*state.as_ptr()).decode(bytes, channels, window, raw, out)
        }));
        // SAFETY: as above; this is how libjpeg wants to be told that a picture is over, however it
        // went. It frees what was allocated for it, and fails never.
        unsafe { sys::jpeg_abort_decompress(&mut (*state.as_ptr()).info) };
        match part {
            Ok(part) => part,
            Err(payload) => Err(failure(payload)),
        }
    }
}

impl Drop for Jpeg {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            // SAFETY: it came out of a box and goes back into one, once.
            unsafe {
                sys::jpeg_destroy_decompress(&mut (*state.as_ptr()).info);
                drop(Box::from_raw(state.as_ptr()));
            }
        }
    }
}

impl fmt::Debug for Jpeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jpeg").finish_non_exhaustive()
    }
}

impl State {
    /// On the heap, since libjpeg keeps pointers into it.
    fn create() -> NonNull<Self> {
        // SAFETY: these are plain C structures of numbers and pointers, zero before libjpeg fills
        // them. Each pointer it gets points into the allocation, which does not move.
        unsafe {
            let state: NonNull<Self> = NonNull::from(Box::leak(Box::new(mem::zeroed())));
            let at = state.as_ptr();
            sys::jpeg_std_error(&mut (*at).errors);
            (*at).errors.error_exit = Some(fail);
            (*at).errors.emit_message = Some(note);
            (*at).info.common.err = &raw mut (*at).errors;
            sys::jpeg_create_decompress(&raw mut (*at).info);
            (*at).progress.progress_monitor = Some(watch);
            (*at).info.common.progress = &raw mut (*at).progress;
            state
        }
    }

    /// # Safety
    ///
    /// Whatever unwinds out of this has to be followed by `jpeg_abort_decompress`.
    unsafe fn decode(
        &mut self,
        bytes: &[u8],
        channels: usize,
        window: Window,
        raw: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Window, DecodeError> {
        let info = &mut self.info;
        // SAFETY: the caller's promise; every call is made in the state that libjpeg.txt asks for.
        unsafe {
            sys::jpeg_mem_src(info, bytes.as_ptr(), bytes.len() as _);
            sys::jpeg_read_header(info, 1);
            let components = info.num_components;
            let stored = match components {
                1 | 3 => channels,
                4 => 4,
                _ => {
                    let what = format!("of {components} components");
                    return Err(DecodeError::Unsupported { codec: Codec::Jpeg, what });
                }
            };
            info.out_color_space = match stored {
                1 => JCS_GRAYSCALE,
                3 => JCS_RGB,
                _ => JCS_CMYK,
            };
            sys::jpeg_start_decompress(info);
            let size = (info.output_width as usize, info.output_height as usize);
            if size.0 < window.left + window.width || size.1 < window.top + window.height {
                let what = "it has two frame headers".to_owned();
                return Err(DecodeError::Damaged { codec: Codec::Jpeg, what });
            }
            let part = crop(info, window);
            let stride = part.width * stored;
            let pixels = if stored == 4 { &mut *raw } else { &mut *out };
            pixels.resize(part.height * stride, 0);
            read_rows(info, pixels, stride);
            if stored == 4 {
                from_cmyk(raw, jpeg_is_adobes(bytes), channels, out);
            }
            Ok(part)
        }
    }
}

/// Tells libjpeg of the window, and passes over the rows above it. Returns what will be read.
///
/// # Safety
///
/// Decompression has started and no row been read.
unsafe fn crop(info: &mut sys::jpeg_decompress_struct, window: Window) -> Window {
    let Window { left, top, width, height } = window;
    // Upsampling a pixel needs its neighbours' colour.
    let from = left.saturating_sub(1);
    let to = (left + width + 1).min(info.output_width as usize);
    let (mut first, mut columns) = (from as u32, (to - from) as u32);
    // SAFETY: the caller's promise; the columns lie within the picture.
    unsafe {
        sys::jpeg_crop_scanline(info, &mut first, &mut columns);
        if top > 0 {
            sys::jpeg_skip_scanlines(info, top as u32);
        }
    }
    // If all columns are wanted, libjpeg leaves its arguments alone.
    Window { left: first as usize, top, width: info.output_width as usize, height }
}

/// Fills `pixels` with rows.
///
/// # Safety
///
/// Decompression has started, `stride` is what a row has, and there are as many rows left.
unsafe fn read_rows(info: &mut sys::jpeg_decompress_struct, pixels: &mut [u8], stride: usize) {
    let mut left = pixels;
    while !left.is_empty() {
        let mut rows = [ptr::null_mut(); ROWS];
        let mut count = 0;
        for (row, pixels) in rows.iter_mut().zip(left.chunks_exact_mut(stride)) {
            *row = pixels.as_mut_ptr();
            count += 1;
        }
        // SAFETY: the caller's promise; each pointer is to a row of its own.
        let read = unsafe { sys::jpeg_read_scanlines(info, rows.as_mut_ptr(), count) };
        if read == 0 {
            // Only a source that waits for more bytes comes to this.
            resume_unwind(Box::new("no more rows".to_owned()));
        }
        left = &mut left[read as usize * stride..];
    }
}

/// Colours of ink to colours of light, as TensorFlow's `decode_jpeg`: Adobe's files have them
/// inverted already.
fn from_cmyk(raw: &[u8], adobes: bool, channels: usize, out: &mut Vec<u8>) {
    let rgb = |&[c, m, y, k]: &[u8; 4]| {
        let [c, m, y, k] = [c, m, y, k].map(|ink| u32::from(if adobes { ink } else { 255 - ink }));
        [c, m, y].map(|ink| (ink * k / 255) as u8)
    };
    out.clear();
    let pixels = raw.as_chunks::<4>().0.iter().map(rgb);
    if channels == 1 {
        out.extend(pixels.map(luma));
    } else {
        out.extend(pixels.flatten());
    }
}

/// What unwound out of libjpeg, as an error; a panic of this side goes on.
fn failure(payload: Box<dyn Any + Send>) -> DecodeError {
    match payload.downcast::<String>() {
        Ok(what) => DecodeError::Damaged { codec: Codec::Jpeg, what: *what },
        Err(payload) => resume_unwind(payload),
    }
}

/// Leaves libjpeg with its message.
///
/// # Safety
///
/// libjpeg calls it, in a state that it has made.
unsafe extern "C-unwind" fn fail(info: &mut sys::jpeg_common_struct) {
    /// The binding's type says 80 bytes that are only read; libjpeg writes up to 200.
    type Format = unsafe extern "C-unwind" fn(*mut sys::jpeg_common_struct, *mut u8);
    let mut buffer = [0_u8; 256];
    // SAFETY: both types are C's `void (*)(j_common_ptr, char *)`.
    unsafe {
        if let Some(format) = (*info.err).format_message {
            let format: Format = mem::transmute(format);
            format(info, buffer.as_mut_ptr());
        }
    }
    let text = buffer.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    resume_unwind(Box::new(text.trim_end_matches('.').to_owned()));
}

/// Counts warnings and prints nothing. TensorFlow and Pillow go on after them as well.
///
/// # Safety
///
/// libjpeg calls it, in a state that it has made.
unsafe extern "C-unwind" fn note(info: &mut sys::jpeg_common_struct, level: i32) {
    if level < 0 {
        // SAFETY: the error manager is part of the state.
        unsafe { (*info.err).num_warnings += 1 };
    }
}

/// Ends a picture of too many scans. Called once a row of blocks.
///
/// # Safety
///
/// libjpeg calls it, in a state that it has made.
unsafe extern "C-unwind" fn watch(info: &mut sys::jpeg_common_struct) {
    let info = ptr::from_mut(info).cast::<sys::jpeg_decompress_struct>();
    // SAFETY: the common structure is the beginning of the state's own.
    if unsafe { (*info).input_scan_number } > MAX_SCANS {
        resume_unwind(Box::new(format!("it has more than {MAX_SCANS} scans")));
    }
}
