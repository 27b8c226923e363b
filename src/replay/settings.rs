//! Configurations, requests and answers, both ways.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::admission::Hosts;
use crate::config::{
    Budgets, CloseAnswer, Delivery, Limits, OriginPolicy, Rate, Settings, Timeouts,
};
use crate::extension::{Configured, MessageExtension};
use crate::handshake::extensions::ApplicationExtensions;
use crate::handshake::extra::FieldList;
use crate::handshake::uri::Uri;
use crate::handshake::{Accept, ClientRequest, Negotiated, Response};

use super::left_out::{LeftOut, hidden, is_secret};
use super::wire::{Bad, Reader, Unread, Writer};

/// Extensions of the application's, for recordings that name them.
pub(super) type Extensions = Vec<Arc<dyn MessageExtension>>;

// ── limits

pub(super) fn write_limits(writer: &mut Writer, limits: &Limits) {
    for number in [
        limits.head.into(),
        limits.fields.into(),
        limits.frame,
        limits.message,
        limits.fragments.into(),
        limits.output.into(),
        limits.held.into(),
        limits.body.into(),
        limits.memory,
    ] {
        writer.number(number);
    }
    let budgets = &limits.budgets;
    for rate in [
        budgets.pings,
        budgets.empty_frames,
        budgets.tiny_fragments,
        budgets.messages,
    ] {
        writer.flag(rate.is_some());
        if let Some(rate) = rate {
            writer.number(rate.count().into());
            writer.time(rate.per());
            writer.number(rate.most_at_once().into());
        }
    }
}

pub(super) fn read_limits(reader: &mut Reader<'_>) -> Result<Limits, Bad> {
    let mut limits = Limits::server();
    limits.head = reader.small()?;
    limits.fields = reader.small()?;
    limits.frame = reader.number()?;
    limits.message = reader.number()?;
    limits.fragments = reader.small()?;
    limits.output = reader.small()?;
    limits.held = reader.small()?;
    limits.body = reader.small()?;
    limits.memory = reader.number()?;
    limits.budgets = Budgets::NONE;
    limits.budgets.pings = read_rate(reader)?;
    limits.budgets.empty_frames = read_rate(reader)?;
    limits.budgets.tiny_fragments = read_rate(reader)?;
    limits.budgets.messages = read_rate(reader)?;
    Ok(limits)
}

fn read_rate(reader: &mut Reader<'_>) -> Result<Option<Rate>, Bad> {
    if !reader.flag()? {
        return Ok(None);
    }
    let (count, per) = (reader.small()?, reader.time()?);
    Ok(Some(Rate::new(count, per).at_once(reader.small()?)))
}

// ── configurations

/// `None` is the one that is shared by all that set nothing.
pub(super) fn write_settings(writer: &mut Writer, settings: Option<&Settings>) {
    writer.flag(settings.is_some());
    let Some(settings) = settings else {
        return;
    };
    write_limits(writer, &settings.limits);
    let timeouts = &settings.timeouts;
    writer.time(timeouts.handshake);
    writer.time(timeouts.close);
    for time in [
        timeouts.ping,
        timeouts.pong,
        timeouts.idle,
        timeouts.message,
    ] {
        writer.maybe_time(time);
    }
    writer.byte(match settings.delivery {
        Delivery::Whole => 0,
        Delivery::Chunks => 1,
        Delivery::Ask => 2,
    });
    writer.byte(match settings.close_answer {
        CloseAnswer::Code => 0,
        CloseAnswer::CodeAndReason => 1,
        CloseAnswer::Application => 2,
    });
    for flag in [
        settings.auto_pong,
        settings.explain_failures,
        settings.unmasked,
        settings.keep_response,
        settings.serve_http,
        settings.require_origin,
        settings.require_subprotocol,
        settings.require_extension,
    ] {
        writer.flag(flag);
    }
    writer.number(settings.fragment.into());
    match &settings.origin {
        OriginPolicy::SameHost => writer.byte(0),
        OriginPolicy::Any => writer.byte(1),
        OriginPolicy::Application => writer.byte(2),
        OriginPolicy::List(origins) => {
            writer.byte(3);
            write_texts(writer, origins.iter());
        }
    }
    writer.flag(settings.hosts.is_some());
    if let Some(hosts) = &settings.hosts {
        write_texts(writer, hosts.iter());
    }
    write_configured(writer, &settings.extensions);
}

pub(super) fn read_settings(
    reader: &mut Reader<'_>,
    defaults: Settings,
    extensions: &Extensions,
) -> Result<Option<Arc<Settings>>, Unread> {
    if !reader.flag()? {
        return Ok(None);
    }
    let mut settings = defaults;
    settings.limits = read_limits(reader)?;
    settings.timeouts = read_timeouts(reader)?;
    settings.delivery = match reader.byte()? {
        0 => Delivery::Whole,
        1 => Delivery::Chunks,
        2 => Delivery::Ask,
        _ => return Err(Unread::Bad),
    };
    settings.close_answer = match reader.byte()? {
        0 => CloseAnswer::Code,
        1 => CloseAnswer::CodeAndReason,
        2 => CloseAnswer::Application,
        _ => return Err(Unread::Bad),
    };
    for flag in [
        &mut settings.auto_pong,
        &mut settings.explain_failures,
        &mut settings.unmasked,
        &mut settings.keep_response,
        &mut settings.serve_http,
        &mut settings.require_origin,
        &mut settings.require_subprotocol,
        &mut settings.require_extension,
    ] {
        *flag = reader.flag()?;
    }
    settings.fragment = reader.small()?;
    settings.origin = match reader.byte()? {
        0 => OriginPolicy::SameHost,
        1 => OriginPolicy::Any,
        2 => OriginPolicy::Application,
        3 => OriginPolicy::list(read_texts(reader)?).map_err(|_| Bad)?,
        _ => return Err(Unread::Bad),
    };
    if reader.flag()? {
        let hosts = Hosts::new(read_texts(reader)?).map_err(|_| Bad)?;
        settings.hosts = Some(hosts);
    }
    settings.extensions = read_configured(reader, extensions)?;
    Ok(Some(Arc::new(settings)))
}

fn read_timeouts(reader: &mut Reader<'_>) -> Result<Timeouts, Bad> {
    let mut timeouts = Timeouts::DEFAULT;
    timeouts.handshake = reader.time()?;
    timeouts.close = reader.time()?;
    timeouts.ping = reader.maybe_time()?;
    timeouts.pong = reader.maybe_time()?;
    timeouts.idle = reader.maybe_time()?;
    timeouts.message = reader.maybe_time()?;
    Ok(timeouts)
}

fn write_texts<'t>(writer: &mut Writer, texts: impl Iterator<Item = &'t str>) {
    for text in texts {
        writer.flag(true);
        writer.string(text.as_bytes());
    }
    writer.flag(false);
}

fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, Bad> {
    let mut texts = Vec::new();
    while reader.flag()? {
        texts.push(reader.owned_text()?);
    }
    Ok(texts)
}

/// Extensions of messages: permessage-deflate with its settings, others by their names.
fn write_configured(writer: &mut Writer, configured: &Configured) {
    for extension in &configured.0 {
        #[cfg(feature = "deflate")]
        if let Some(deflate) = extension.permessage_deflate() {
            writer.byte(DEFLATE);
            for number in deflate.to_numbers() {
                writer.number(number);
            }
            continue;
        }
        writer.byte(NAMED);
        writer.string(extension.name().as_bytes());
    }
    writer.byte(NO_MORE);
}

fn read_configured(reader: &mut Reader<'_>, extensions: &Extensions) -> Result<Configured, Unread> {
    let mut configured = Configured::NONE;
    loop {
        match reader.byte()? {
            NO_MORE => return Ok(configured),
            #[cfg(feature = "deflate")]
            DEFLATE => {
                let mut numbers = [0; 11];
                for number in &mut numbers {
                    *number = reader.number()?;
                }
                let deflate = crate::extension::PermessageDeflate::of_numbers(numbers);
                configured.add(Arc::new(deflate.ok_or(Bad)?));
            }
            #[cfg(not(feature = "deflate"))]
            DEFLATE => return Err(Unread::Feature("deflate")),
            NAMED => {
                let name = reader.text()?;
                let mut known = extensions.iter();
                let found = known.find(|extension| extension.name() == name);
                let found = found.ok_or_else(|| Unread::Extension(name.into()))?;
                configured.add(Arc::clone(found));
            }
            _ => return Err(Unread::Bad),
        }
    }
}

const NO_MORE: u8 = 0;
const DEFLATE: u8 = 1;
const NAMED: u8 = 2;

// ── requests and answers

fn write_fields<'f>(
    writer: &mut Writer,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    left_out: LeftOut,
) {
    for (name, value) in fields {
        writer.flag(true);
        writer.string(name.as_bytes());
        if left_out.secrets && is_secret(name.as_bytes()) {
            writer.string(&hidden(value));
        } else {
            writer.string(value);
        }
    }
    writer.flag(false);
}

fn read_fields(reader: &mut Reader<'_>) -> Result<FieldList, Bad> {
    let mut fields = FieldList::new();
    while reader.flag()? {
        fields.push((reader.owned_text()?, reader.string()?.into()));
    }
    Ok(fields)
}

fn write_own(writer: &mut Writer, extensions: &ApplicationExtensions) {
    for (element, bits) in &extensions.0 {
        writer.flag(true);
        writer.string(element.as_bytes());
        writer.byte(*bits);
    }
    writer.flag(false);
}

pub(super) fn write_request(writer: &mut Writer, request: &ClientRequest, left_out: LeftOut) {
    let uri = alloc::format!("{}", request.uri());
    match uri.split_once('?') {
        Some((before, query)) if left_out.secrets => {
            writer.string(&[before.as_bytes(), b"?", &hidden(query.as_bytes())].concat());
        }
        _ => writer.string(uri.as_bytes()),
    }
    writer.string(request.origin.as_bytes());
    write_texts(writer, request.subprotocols());
    write_own(writer, &request.extensions);
    write_fields(writer, request.headers(), left_out);
}

pub(super) fn read_request(reader: &mut Reader<'_>) -> Result<ClientRequest, Bad> {
    let mut request = ClientRequest::new(Uri::parse(reader.text()?).map_err(|_| Bad)?);
    let origin = reader.text()?;
    if !origin.is_empty() {
        request = request.origin(origin).map_err(|_| Bad)?;
    }
    for subprotocol in read_texts(reader)? {
        request = request.subprotocol(&subprotocol).map_err(|_| Bad)?;
    }
    while reader.flag()? {
        let element = reader.text()?;
        request = request
            .extension(element, reader.byte()?)
            .map_err(|_| Bad)?;
    }
    for (name, value) in read_fields(reader)? {
        request = request.header(&name, &value).map_err(|_| Bad)?;
    }
    Ok(request)
}

pub(super) fn write_accept(writer: &mut Writer, accept: &Accept, left_out: LeftOut) {
    write_texts(writer, accept.chosen().into_iter());
    write_texts(writer, accept.preferred.iter().map(|name| &**name));
    writer.flag(accept.own().is_some());
    if let Some(own) = accept.own() {
        write_configured(writer, own);
    }
    write_own(writer, &accept.extensions);
    write_fields(writer, accept.fields.iter(), left_out);
}

pub(super) fn read_accept(
    reader: &mut Reader<'_>,
    extensions: &Extensions,
) -> Result<Accept, Unread> {
    let mut accept = Accept::new();
    for chosen in read_texts(reader)? {
        accept = accept.subprotocol(chosen);
    }
    accept = accept.prefer(read_texts(reader)?);
    if reader.flag()? {
        accept.own = Some(read_configured(reader, extensions)?);
    }
    while reader.flag()? {
        let element = reader.text()?;
        accept = accept.extension(element, reader.byte()?).map_err(|_| Bad)?;
    }
    for (name, value) in read_fields(reader)? {
        accept = accept.header(&name, &value).map_err(|_| Bad)?;
    }
    Ok(accept)
}

pub(super) fn write_response(writer: &mut Writer, response: &Response, left_out: LeftOut) {
    writer.number(response.status().into());
    write_fields(writer, response.fields.iter(), left_out);
    writer.string(&response.body);
}

pub(super) fn read_response(reader: &mut Reader<'_>) -> Result<Response, Bad> {
    let mut response = Response::new(reader.small()?);
    for (name, value) in read_fields(reader)? {
        response = response.header(&name, &value).map_err(|_| Bad)?;
    }
    Ok(response.body(reader.string()?))
}

pub(super) fn write_negotiated(writer: &mut Writer, negotiated: &Negotiated) {
    write_texts(writer, negotiated.subprotocol.as_deref().into_iter());
    writer.string(negotiated.extensions.as_bytes());
    writer.byte(negotiated.reserved_bits);
}

pub(super) fn read_negotiated(reader: &mut Reader<'_>) -> Result<Negotiated, Bad> {
    let mut negotiated = Negotiated::new();
    for subprotocol in read_texts(reader)? {
        negotiated = negotiated.subprotocol(subprotocol);
    }
    negotiated = negotiated.extensions(reader.text()?);
    Ok(negotiated.reserved_bits(reader.byte()?))
}
